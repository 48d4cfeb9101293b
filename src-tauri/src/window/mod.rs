//! The one window: made when it is first shown, hidden rather than destroyed, mended when its page dies. It can go
//! away at any time without touching a tunnel.

mod closing;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod page;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use closing::{Closing, on_close};
use tauri::{
    AppHandle, Builder, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Window, WindowEvent,
    Wry, async_runtime, webview::NewWindowResponse,
};
use tokio::sync::watch;

use crate::{
    app::Shell,
    ipc::Subscriptions,
    picture::Picture,
    quit,
    tray::{APP_NAME, title},
    wishes::Wishes,
};

const LABEL: &str = "main";
/// Room for the list of profiles and a table of connections side by side.
const SIZE: (f64, f64) = (1100.0, 720.0);
/// A phone's width: the smallest at which every control is still usable.
const MIN_SIZE: (f64, f64) = (380.0, 520.0);
/// A page that dies again within this time is not reloaded at once, or a broken one would keep a CPU busy.
const RELOAD_PAUSE: Duration = Duration::from_secs(10);

/// Loads the page again when the process that draws it has died. The tunnels are in our process and do not notice.
pub fn mend_pages(builder: Builder<Wry>) -> Builder<Wry> {
    let last_death = Mutex::new(None);
    page::attend(builder, move |app| {
        forget_page(app);
        let now = Instant::now();
        let before = last_death.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        reload_after(app.clone(), pause_before_reload(before.map(|before| now - before)));
    })
}

/// Brings the window to the front, wherever it was.
pub fn show(app: &AppHandle) {
    let shown = match app.get_webview_window(LABEL) {
        Some(window) => raise(&window),
        None => create(app),
    };
    if let Err(error) = shown {
        tracing::warn!(%error, "cannot show the window");
    }
}

pub fn hide(app: &AppHandle) {
    if let Some(Err(error)) = app.get_webview_window(LABEL).map(|window| window.hide()) {
        tracing::warn!(%error, "cannot hide the window");
    }
}

/// Says the state in the window's title as long as the app runs.
pub fn keep_title(app: AppHandle, mut picture: watch::Receiver<Picture>) {
    async_runtime::spawn(async move {
        let mut shown = APP_NAME.to_owned();
        while picture.changed().await.is_ok() {
            let now = title(&picture.borrow());
            if now != shown
                && let Some(window) = app.get_webview_window(LABEL)
                && window.set_title(&now).is_ok()
            {
                shown = now;
            }
        }
    });
}

pub fn on_event(window: &Window, event: &WindowEvent) {
    if let WindowEvent::CloseRequested { api, .. } = event {
        api.prevent_close();
        close(window);
    }
}

fn close(window: &Window) {
    let app = window.app_handle();
    let shell = app.state::<Shell>();
    let done = match on_close(shell.has_tray(), shell.anything_up()) {
        Closing::Hide => window.hide(),
        Closing::Minimise => window.minimize(),
        Closing::Quit => {
            quit::begin(app);
            Ok(())
        }
    };
    if let Err(error) = done {
        tracing::warn!(%error, "cannot close the window");
    }
}

fn raise(window: &WebviewWindow) -> tauri::Result<()> {
    window.show()?;
    window.unminimize()?;
    window.set_focus()
}

fn create(app: &AppHandle) -> tauri::Result<()> {
    let development = app.config().build.dev_url.clone().filter(|_| tauri::is_dev());
    let this = app.clone();
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title(APP_NAME)
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(MIN_SIZE.0, MIN_SIZE.1)
        // Ours would swallow files that are dropped on the page.
        .disable_drag_drop_handler()
        .on_navigation(move |url| {
            let ours = is_ours(url, development.as_ref());
            if ours {
                // A reload: what the old page asked for ends before the new one can ask.
                forget_page(&this);
            }
            ours
        })
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()
        .map(drop)
}

/// Ends what the page asked for and keeps what it was to be told for the next one.
fn forget_page(app: &AppHandle) {
    app.state::<Subscriptions>().end_all();
    app.state::<Wishes>().page_gone();
}

fn reload_after(app: AppHandle, pause: Duration) {
    async_runtime::spawn(async move {
        tokio::time::sleep(pause).await;
        if let Some(Err(error)) = app.get_webview_window(LABEL).map(|window| window.reload()) {
            tracing::warn!(%error, "cannot load the page again");
        }
    });
}

fn pause_before_reload(since_last_death: Option<Duration>) -> Duration {
    match since_last_death {
        Some(since) if since < RELOAD_PAUSE => RELOAD_PAUSE,
        _ => Duration::ZERO,
    }
}

/// The page that is built into the app, or the development server's. Everything else belongs into a browser.
fn is_ours(url: &Url, development: Option<&Url>) -> bool {
    let built_in = url.scheme() == "tauri" && url.host_str() == Some("localhost");
    built_in || development.is_some_and(|development| development.origin() == url.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(url: &str, development: Option<&str>) -> bool {
        let parse = |url: &str| Url::parse(url).expect("a test's own URL");
        is_ours(&parse(url), development.map(parse).as_ref())
    }

    #[test]
    fn a_page_that_keeps_dying_is_not_reloaded_without_pause() {
        assert_eq!(pause_before_reload(None), Duration::ZERO);
        assert_eq!(pause_before_reload(Some(Duration::from_mins(5))), Duration::ZERO);
        assert_eq!(pause_before_reload(Some(Duration::from_secs(1))), RELOAD_PAUSE);
    }

    #[test]
    fn only_our_own_page_is_opened_in_the_window() {
        assert!(ours("tauri://localhost/index.html", None));
        for url in
            ["https://localhost/", "http://localhost:1420/", "tauri://evil.example/", "file:///etc/passwd"]
        {
            assert!(!ours(url, None), "{url}");
        }
    }

    #[test]
    fn the_development_server_is_ours_only_when_it_is_in_use() {
        assert!(ours("http://localhost:1420/a", Some("http://localhost:1420")));
        assert!(!ours("http://localhost:1421/a", Some("http://localhost:1420")));
    }
}
