//! The tray item: a pure value, [`Look`], computed from the picture, and one leaf per system that shows it. The
//! item is touched only when the value has changed, never on a timer: panels close an open menu on every update.

#[cfg(any(test, target_os = "linux"))]
mod halo;
mod icons;
mod look;
mod menu;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod panel;
mod shape;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tauri::{AppHandle, async_runtime};
use tokio::sync::watch;

pub use look::{APP_NAME, title};
pub use menu::Action;

use crate::{app, picture::Picture};
use look::Look;
use panel::Panel;

/// Whether some panel shows our item: it may come late, restart or never exist.
#[derive(Debug, Clone, Default)]
pub struct Host(Arc<AtomicBool>);

impl Host {
    pub fn present(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set_present(&self, present: bool) {
        self.0.store(present, Ordering::Relaxed);
    }
}

/// Shows the item and keeps it right as long as the app runs. Without a session bus there is none.
pub fn keep(app: AppHandle, mut picture: watch::Receiver<Picture>, host: Host) {
    async_runtime::spawn(async move {
        let mut look = Look::of(&picture.borrow_and_update());
        let acting = app.clone();
        let panel = match Panel::open(&app, look.clone(), host, move |action| app::act(&acting, action)).await
        {
            Ok(panel) => panel,
            Err(error) => return tracing::warn!(%error, "no tray"),
        };
        while picture.changed().await.is_ok() {
            let now = Look::of(&picture.borrow_and_update());
            if now != look {
                look = now;
                panel.show(look.clone()).await;
            }
        }
        // Without an engine there is nothing to update, but the item stays: its menu shows the window and quits.
        std::future::pending::<()>().await;
    });
}
