//! The one orderly way out, for the menu, the close button and signals alike: no rule and no ssh stays.

use std::{process, time::Duration};

use tauri::{AppHandle, Manager, async_runtime};

use crate::{app::Shell, window};

/// Longer than the engine's own bound of a few seconds, so that it is reached only if that one fails. The guard
/// and the helper clean up after us then, as after a crash.
const LIMIT: Duration = Duration::from_secs(10);

/// Starts the end. Only the first call does; the window goes at once, the process when all tunnels are down.
pub fn begin(app: &AppHandle) {
    if app.state::<Shell>().mark_quitting() {
        return;
    }
    window::hide(app);
    let app = app.clone();
    async_runtime::spawn(async move {
        end_tunnels(&app).await;
        app.exit(0);
    });
}

/// SIGTERM and SIGINT are requests to quit like any other; asked again, we go without waiting.
pub fn on_signals(app: AppHandle) {
    async_runtime::spawn(async move {
        if let Err(error) = wait_for_signal().await {
            tracing::warn!(%error, "cannot listen for signals");
            return;
        }
        begin(&app);
        if wait_for_signal().await.is_ok() {
            tracing::warn!("asked twice to quit: not waiting for the tunnels");
            process::exit(1);
        }
    });
}

async fn end_tunnels(app: &AppHandle) {
    let shell = app.state::<Shell>();
    let Ok(engine) = shell.engine() else { return };
    if tokio::time::timeout(LIMIT, engine.shutdown()).await.is_err() {
        tracing::warn!("the engine did not end in time; what is left undoes itself");
    }
}

async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
