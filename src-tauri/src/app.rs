//! Puts engine, window and tray together and lets Tauri run them.

use std::sync::atomic::{AtomicBool, Ordering};

use ropeway_engine::{
    Engine, Setup,
    api::{Code, Command, Failure},
};
use tauri::{App, AppHandle, Manager, RunEvent, async_runtime, generate_handler};
use tokio::sync::watch;

use crate::{
    ipc::{self, Subscriptions},
    picture::{self, Picture},
    quit,
    tray::{self, Action, Host},
    window,
    wishes::{self, Wish, Wishes},
};

/// Returns when the app has ended, on systems where Tauri's event loop returns at all.
pub fn run() -> tauri::Result<()> {
    let app = window::mend_pages(tauri::Builder::default())
        // First, because a second start must end before it does anything else.
        .plugin(tauri_plugin_single_instance::init(|app, _arguments, _folder| window::show(app)))
        .invoke_handler(generate_handler![ipc::command, ipc::subscribe, ipc::unsubscribe, wishes::attend])
        .on_window_event(window::on_event)
        .setup(|app| {
            start(app);
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(on_event);
    Ok(())
}

/// What commands, tray and window share.
pub struct Shell {
    engine: Result<Engine, Failure>,
    picture: watch::Receiver<Picture>,
    tray_host: Host,
    quitting: AtomicBool,
}

impl Shell {
    /// Fails with the reason why the engine did not start: the window shows it as the answer to whatever it asks.
    pub fn engine(&self) -> Result<&Engine, Failure> {
        self.engine.as_ref().map_err(Clone::clone)
    }

    pub fn anything_up(&self) -> bool {
        self.picture.borrow().anything_up()
    }

    /// Whether a panel shows our tray item now.
    pub fn has_tray(&self) -> bool {
        self.tray_host.present()
    }

    /// Whether it was so already.
    pub fn mark_quitting(&self) -> bool {
        self.quitting.swap(true, Ordering::Relaxed)
    }
}

/// Does what a click in the tray's menu asks, whether or not there is a window.
pub fn act(app: &AppHandle, action: Action) {
    match action {
        Action::Toggle(profile) => tell_engine(app.clone(), Command::Toggle { profile }),
        Action::DisconnectAll => tell_engine(app.clone(), Command::DisconnectAll),
        Action::RestoreNetwork => tell_engine(app.clone(), Command::RestoreNetwork { everybody: false }),
        Action::ShowWindow => window::show(app),
        Action::ShowSettings => show(app, Wish::Settings),
        Action::SetUp(profile) => show(app, Wish::SetUp { profile }),
        Action::Quit => quit::begin(app),
    }
}

/// Brings the window to the front with what is wished for in it.
fn show(app: &AppHandle, wish: Wish) {
    app.state::<Wishes>().make(wish);
    window::show(app);
}

fn start(app: &mut App) {
    let engine = start_engine();
    let picture = engine.as_ref().map_or_else(|_| watch::channel(Picture::default()).1, picture::of);
    let tray_host = Host::default();
    app.manage(Subscriptions::default());
    app.manage(Wishes::default());
    app.manage(Shell {
        engine,
        picture: picture.clone(),
        tray_host: tray_host.clone(),
        quitting: AtomicBool::new(false),
    });
    window::show(app.handle());
    window::keep_title(app.handle().clone(), picture.clone());
    tray::keep(app.handle().clone(), picture, tray_host);
    quit::on_signals(app.handle().clone());
}

fn start_engine() -> Result<Engine, Failure> {
    let setup = Setup::of_user().map_err(|error| Failure::new(Code::Internal, "", error.to_string()))?;
    Engine::start(setup)
        .inspect_err(|failure| tracing::error!(?failure.code, failure.detail, "the engine did not start"))
}

fn tell_engine(app: AppHandle, command: Command) {
    async_runtime::spawn(async move {
        let shell = app.state::<Shell>();
        let Ok(engine) = shell.engine() else { return window::show(&app) };
        // The reason is in the profile's state too; the window is where there is room to read it.
        if let Err(failure) = engine.command(command).await {
            tracing::warn!(?failure.code, failure.title, failure.detail, "not done");
            window::show(&app);
        }
    });
}

// Tauri hands events over by value.
#[allow(clippy::needless_pass_by_value)]
fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // Asked by the system, not by `quit`: the tunnels come down first.
        RunEvent::ExitRequested { code: None, api, .. } => {
            api.prevent_exit();
            quit::begin(app);
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::show(app),
        _ => {}
    }
}
