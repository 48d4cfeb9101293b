//! The item over D-Bus, as the desktops agreed (`StatusNotifierItem`), without a library of the desktop's. There
//! may be no panel, it may come after us and it may restart: the item registers itself again each time.

use std::sync::Arc;

use ksni::{
    MenuItem, OfflineReason, ToolTip, TrayMethods,
    menu::{CheckmarkItem, StandardItem},
};
use tauri::AppHandle;

use super::{
    Action, Host, halo, icons,
    look::{APP_NAME, Look},
    menu::Item,
};

pub struct Panel {
    item: ksni::Handle<TrayItem>,
}

impl Panel {
    /// Fails only without a session bus; without a panel the item waits for one.
    pub async fn open(
        _app: &AppHandle,
        look: Look,
        host: Host,
        act: impl Fn(Action) + Send + Sync + 'static,
    ) -> Result<Self, ksni::Error> {
        host.set_present(true);
        let item = TrayItem { pixmaps: pixmaps(&look), look, host: host.clone(), act: Arc::new(act) };
        match item.assume_sni_available(true).spawn().await {
            Ok(item) => Ok(Self { item }),
            Err(error) => {
                host.set_present(false);
                Err(error)
            }
        }
    }

    pub async fn show(&self, look: Look) {
        self.item.update(|item| item.change(look)).await;
    }
}

struct TrayItem {
    look: Look,
    /// Of the look's shape; asked for several times on every change.
    pixmaps: Vec<ksni::Icon>,
    host: Host,
    act: Arc<dyn Fn(Action) + Send + Sync>,
}

impl TrayItem {
    fn change(&mut self, look: Look) {
        if look.shape != self.look.shape {
            self.pixmaps = pixmaps(&look);
        }
        self.look = look;
    }
}

impl ksni::Tray for TrayItem {
    /// A tray item is its menu, whichever button opens it.
    const MENU_ON_ACTIVATE: bool = true;

    fn id(&self) -> String {
        "org.ropeway.Ropeway".into()
    }

    fn title(&self) -> String {
        self.look.title.clone()
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        self.pixmaps.clone()
    }

    fn tool_tip(&self) -> ToolTip {
        let lines: Vec<_> = self.look.lines.iter().map(|line| without_markup(line)).collect();
        ToolTip { title: APP_NAME.into(), description: lines.join("\n"), ..ToolTip::default() }
    }

    fn secondary_activate(&mut self, _x: i32, _y: i32) {
        (self.act)(Action::ShowWindow);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.look.menu.items.iter().map(rendered).collect()
    }

    fn watcher_online(&self) {
        tracing::info!("a panel shows the tray item");
        self.host.set_present(true);
    }

    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        tracing::info!(?reason, "no panel shows the tray item");
        self.host.set_present(false);
        true
    }
}

fn rendered(item: &Item) -> MenuItem<TrayItem> {
    match item {
        Item::Separator => MenuItem::Separator,
        Item::Line(line) => {
            StandardItem { label: without_access_keys(line), enabled: false, ..StandardItem::default() }
                .into()
        }
        Item::Entry { label, checked: None, action } => {
            let (label, activate) = (without_access_keys(label), on_click(action));
            StandardItem { label, activate, ..StandardItem::default() }.into()
        }
        Item::Entry { label, checked: Some(checked), action } => {
            let (label, activate) = (without_access_keys(label), on_click(action));
            CheckmarkItem { label, checked: *checked, activate, ..CheckmarkItem::default() }.into()
        }
    }
}

fn on_click(action: &Action) -> Box<dyn Fn(&mut TrayItem) + Send> {
    let action = action.clone();
    Box::new(move |item| (item.act)(action.clone()))
}

fn pixmaps(look: &Look) -> Vec<ksni::Icon> {
    let pixmap = |glyph: &icons::Glyph| ksni::Icon {
        width: glyph.size as i32,
        height: glyph.size as i32,
        data: halo::argb(glyph),
    };
    icons::glyphs(look.shape).iter().map(pixmap).collect()
}

/// An underscore in a label would mark the next letter as its key and not be seen.
fn without_access_keys(label: &str) -> String {
    label.replace('_', "__")
}

/// Tool tips may hold markup; names of profiles are text.
fn without_markup(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are() {
        assert_eq!(without_access_keys("lab_2"), "lab__2");
        assert_eq!(without_markup("R&D <b>"), "R&amp;D &lt;b&gt;");
    }
}
