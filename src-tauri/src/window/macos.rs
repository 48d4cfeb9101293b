//! What only `WKWebView` can tell about a page.

use tauri::{AppHandle, Builder, Manager, Wry};

/// Calls `on_death`, on the main thread, whenever the process that draws a page has ended.
pub fn attend(builder: Builder<Wry>, on_death: impl Fn(&AppHandle) + Send + Sync + 'static) -> Builder<Wry> {
    builder.on_web_content_process_terminate(move |page| on_death(page.app_handle()))
}
