//! The panel of a desktop, as far as tray items know of it: the `StatusNotifierWatcher` to which they register.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use zbus::{
    blocking::{Connection, connection::Builder, fdo::DBusProxy},
    interface,
    message::Header,
    names::BusName,
};

use super::item::Item;
use crate::harness::wait_until;

const NAME: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierWatcher";

/// Where an item is when it tells only its bus name.
const ITEM_PATH: &str = "/StatusNotifierItem";

/// A panel that is there as long as the value lives.
#[derive(Debug)]
pub struct Panel {
    bus: Connection,
    items: Items,
}

/// Bus name and path of everything that ever registered, oldest first.
type Items = Arc<Mutex<Vec<(String, String)>>>;

impl Panel {
    /// Puts a panel on the bus of that address.
    pub fn start(address: &str) -> Result<Self> {
        let items = Items::default();
        let watcher = Watcher { items: Arc::clone(&items) };
        let bus = Builder::address(address)?.serve_at(PATH, watcher)?.name(NAME)?.build()?;
        Ok(Self { bus, items })
    }

    /// The item that registered last, as soon as there is one.
    pub fn item(&self, within: Duration) -> Result<Item> {
        let mut found = None;
        if !wait_until(within, || {
            found = self.newest();
            found.is_some()
        }) {
            bail!("no tray item within {within:?}");
        }
        let (service, path) = found.unwrap_or_default();
        Item::new(&self.bus, service, path)
    }

    /// Whether an item is shown.
    pub fn shows_an_item(&self) -> bool {
        self.newest().is_some()
    }

    fn newest(&self) -> Option<(String, String)> {
        let newest = self.items.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()?;
        self.is_on_the_bus(&newest.0).then_some(newest)
    }

    fn is_on_the_bus(&self, service: &str) -> bool {
        let owned = || DBusProxy::new(&self.bus).ok()?.name_has_owner(BusName::try_from(service).ok()?).ok();
        owned().unwrap_or(false)
    }
}

struct Watcher {
    items: Items,
}

// The shape of the functions is the macro's affair, which hands over by value.
#[allow(clippy::needless_pass_by_value, clippy::unused_self)]
#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// Some items tell their bus name, others their path on the connection that they call from.
    fn register_status_notifier_item(&self, item: &str, #[zbus(header)] call: Header<'_>) {
        let address = if item.starts_with('/') {
            (call.sender().map(ToString::to_string).unwrap_or_default(), item.to_owned())
        } else {
            (item.to_owned(), ITEM_PATH.to_owned())
        };
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    /// We are the only one.
    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}
