//! What only `WebKitGTK` can tell about a page, and what of it is not for users.

use std::sync::Arc;

use tauri::{AppHandle, Builder, Webview, Wry, plugin};
use webkit2gtk::{HitTestResultExt, WebViewExt};

/// Calls `on_death`, on the main thread, whenever the process that draws a page has ended.
pub fn attend(builder: Builder<Wry>, on_death: impl Fn(&AppHandle) + Send + Sync + 'static) -> Builder<Wry> {
    let on_death = Arc::new(on_death);
    let attendant = plugin::Builder::<Wry>::new("page").on_webview_ready(move |page| {
        if let Err(error) = attach(&page, Arc::clone(&on_death)) {
            tracing::warn!(%error, "cannot attend to the page");
        }
    });
    builder.plugin(attendant.build())
}

fn attach(page: &Webview, on_death: Arc<impl Fn(&AppHandle) + Send + Sync + 'static>) -> tauri::Result<()> {
    let app = tauri::Manager::app_handle(page).clone();
    page.with_webview(move |platform| {
        let view = platform.inner();
        view.connect_web_process_terminated(move |_, reason| {
            tracing::warn!(?reason, "web process ended");
            on_death(&app);
        });
        if !cfg!(debug_assertions) {
            hide_browser_menu(&view);
        }
    })
}

/// "Back", "Reload" and "Inspect" make no sense in an app; "Copy" and "Paste" do.
fn hide_browser_menu(view: &webkit2gtk::WebView) {
    view.connect_context_menu(|_, _, _, under| {
        !(under.context_is_editable() || under.context_is_selection())
    });
}
