//! Ropeway's window and tray item on a host of the lab, used the way people and desktops use them: clicks and keys
//! by `WebDriver` in the real window, clicks in the tray's menu over D-Bus as a panel makes them.
//!
//! What lives here is a desktop without a desktop environment: a display, a session bus, a panel. What a profile is
//! or how a tunnel works, it does not know; it reads the page by its `data-testid`s and nothing else of the app.
//! Start at [`Desktop`], then [`App`] and [`Panel`].

mod app;
mod bus;
mod desktop;
mod display;
mod driver;
mod item;
mod panel;
mod screen;
mod service;
mod visit;

pub use app::{App, Element};
pub use desktop::{Desktop, Theme};
pub use item::{Entry, Item};
pub use panel::Panel;
pub use screen::Screen;
pub use visit::{Visit, visit};
