//! A tray item and its menu, as a panel sees and clicks them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use zbus::{
    blocking::{Connection, Proxy, proxy},
    proxy::CacheProperties,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

/// A registered `StatusNotifierItem`.
#[derive(Debug)]
pub struct Item {
    bus: Connection,
    service: String,
    proxy: Proxy<'static>,
}

/// One line of its menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: i32,
    /// As people read it; empty for a separator.
    pub label: String,
    /// None where there is no tick.
    pub checked: Option<bool>,
    /// Whether it can be chosen.
    pub enabled: bool,
}

/// A node of `com.canonical.dbusmenu`: number, properties, children.
type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// A tool tip's icon name, icons, title and text.
type ToolTip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);

impl Item {
    pub(super) fn new(bus: &Connection, service: String, path: String) -> Result<Self> {
        let proxy = proxy(bus, service.clone(), path, "org.kde.StatusNotifierItem")?;
        Ok(Self { bus: bus.clone(), service, proxy })
    }

    /// What a screen reader says.
    pub fn title(&self) -> Result<String> {
        Ok(self.proxy.get_property("Title")?)
    }

    /// The text under the pointer.
    pub fn tool_tip(&self) -> Result<String> {
        let (_, _, _, text): ToolTip = self.proxy.get_property("ToolTip")?;
        Ok(text)
    }

    /// The drawings at all sizes, as ARGB.
    pub fn icon(&self) -> Result<Vec<(i32, i32, Vec<u8>)>> {
        Ok(self.proxy.get_property("IconPixmap")?)
    }

    /// The menu, as it is now.
    pub fn menu(&self) -> Result<Vec<Entry>> {
        let (_, (_, _, children)): (u32, Node) =
            self.menu_proxy()?.call("GetLayout", &(0_i32, -1_i32, Vec::<&str>::new()))?;
        children.into_iter().map(Entry::read).collect()
    }

    /// Clicks on the entry with that label.
    pub fn click(&self, label: &str) -> Result<()> {
        let menu = self.menu()?;
        let entry = menu.iter().find(|entry| entry.label == label && entry.enabled);
        let entry = entry.with_context(|| format!("nothing to click on with {label:?} in {menu:?}"))?;
        let now: u32 = 0;
        Ok(self.menu_proxy()?.call("Event", &(entry.id, "clicked", Value::from(""), now))?)
    }

    fn menu_proxy(&self) -> Result<Proxy<'static>> {
        let path: OwnedObjectPath = self.proxy.get_property("Menu")?;
        proxy(&self.bus, self.service.clone(), path.to_string(), "com.canonical.dbusmenu")
    }
}

impl Entry {
    fn read(child: OwnedValue) -> Result<Self> {
        let (id, properties, _): Node = child.try_into()?;
        let text = |name: &str| properties.get(name).and_then(|value| <&str>::try_from(&**value).ok());
        let number = |name: &str| properties.get(name).and_then(|value| i32::try_from(&**value).ok());
        let enabled = properties.get("enabled").and_then(|value| bool::try_from(&**value).ok());
        Ok(Self {
            id,
            label: text("label").unwrap_or_default().replace("__", "_"),
            checked: text("toggle-type").and(number("toggle-state")).map(|state| state == 1),
            enabled: enabled.unwrap_or(true) && text("type") != Some("separator"),
        })
    }
}

/// Without a cache: items announce changes by signals of their own.
fn proxy(bus: &Connection, service: String, path: String, interface: &'static str) -> Result<Proxy<'static>> {
    let proxy = proxy::Builder::new(bus).destination(service)?.path(path)?.interface(interface)?;
    Ok(proxy.cache_properties(CacheProperties::No).build()?)
}
