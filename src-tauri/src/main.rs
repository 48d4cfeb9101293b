//! Ropeway's window and tray: a thin face of the engine, which runs in this process. What is decided here is only
//! what people see: the menu, the icon, the words in the title, what the close button does. All of that is
//! computed by pure functions from a [`picture::Picture`]; the rest hands things over between Tauri, the panel and
//! the engine.
//!
//! Nothing here knows ssh, rules or the network. Start reading at `app`.

mod app;
mod ipc;
mod picture;
mod quit;
mod tray;
mod window;
mod wishes;

use std::process::ExitCode;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    ropeway_engine::guard::run_if_asked();
    log_to_stderr();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the app cannot start");
            ExitCode::FAILURE
        }
    }
}

/// One runtime for Tauri and the engine. It is left only by the end of the process: Tauri's event loop does not
/// return on every system.
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tauri::async_runtime::set(runtime.handle().clone());
    let _entered = runtime.enter();
    Ok(app::run()?)
}

fn log_to_stderr() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
