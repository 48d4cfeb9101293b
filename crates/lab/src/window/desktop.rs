//! What an app finds when a user signs in: a display, a session bus, and programs that are its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{app::App, bus::Bus, display::Display, driver::Driver, panel::Panel, screen::Screen};
use crate::{HOSTS, Host, Process, harness::wait_until};

/// Programs that are the desktop's, not the app's.
const OURS: &[&str] = &["Xvfb", "dbus-daemon", "WebKitWebDriver"];

/// How long processes of the web engine may outlive their window: half a second, more while others compile.
const WEBKIT: Duration = Duration::from_secs(10);

/// A user's session on a host of the lab. One for each host, and gone when it is dropped.
#[derive(Debug)]
pub struct Desktop {
    host: Host,
    folder: PathBuf,
    // dropped in this order: the bus outlives who draws
    display: Display,
    bus: Bus,
}

/// What the desktop asks its windows to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Theme {
    Light,
    Dark,
}

impl Desktop {
    /// One that nobody sees.
    pub fn start(host: &Host) -> Result<Self> {
        let folder = make_folder(host)?;
        let display = Display::start(host, &folder)?;
        Self::around(display, host, folder)
    }

    /// One whose windows are on the screen of the person who started us; None when there is none.
    pub fn on_users_screen(host: &Host) -> Result<Option<Self>> {
        let folder = make_folder(host)?;
        Display::of_user(host, &folder).map(|display| Self::around(display, host, folder)).transpose()
    }

    /// Whether nobody sees it.
    pub fn is_virtual(&self) -> bool {
        self.display.is_virtual()
    }

    /// Opens the app and waits for its window.
    pub fn open_app(&self) -> Result<App> {
        self.open_app_in(Theme::Light)
    }

    /// The same, on a desktop of that theme.
    pub fn open_app_in(&self, theme: Theme) -> Result<App> {
        let log = self.folder.join("app.log");
        let prepare = |command: &mut Command| {
            self.display.show(command);
            self.bus.join(command);
            command.env("GTK_THEME", if theme == Theme::Dark { "Adwaita:dark" } else { "Adwaita" });
        };
        let driver = Driver::start(&self.host, &self.host.program("ropeway-app")?, &log, prepare)?;
        App::driven_by(driver, self.host.clone(), log)
    }

    /// Puts a panel on it.
    pub fn open_panel(&self) -> Result<Panel> {
        Panel::start(self.bus.address())
    }

    /// Sits down before it.
    pub fn screen(&self) -> Result<Screen> {
        Screen::open(self.display.name())
    }

    /// Writes a profile's file, as if it were saved earlier.
    pub fn save_profile(&self, id: &str, text: &str) -> Result<PathBuf> {
        let folder = self.profiles();
        let file = folder.join(format!("{id}.toml"));
        self.host.run(|| fs::create_dir_all(&folder).and_then(|()| fs::write(&file, text)))??;
        Ok(file)
    }

    /// The folder of the profiles.
    pub fn profiles(&self) -> PathBuf {
        self.host.home().join(".config/ropeway/profiles")
    }

    /// The end of the display server, as when it crashes.
    pub fn crash_display(&mut self) {
        self.display.crash();
    }

    /// What runs on the host besides the desktop's own programs, the lab's, and the system's helper.
    pub fn programs(&self) -> Vec<Process> {
        let all = self.host.processes();
        let ours = |process: &Process| OURS.contains(&process.name.as_str()) || process.is_system_helper();
        all.into_iter().filter(|process| !ours(process)).collect()
    }

    /// Waits until nothing of Ropeway is left: no process, no rule. `WebKit`'s own processes see for themselves that
    /// their window is gone, as soon as the machine lets them.
    pub fn wait_until_clean(&self, within: Duration) -> Result<()> {
        let of_ropeway = |process: &Process| !process.name.starts_with("WebKit");
        let clean = || {
            !self.programs().iter().any(of_ropeway)
                && self.rules().is_ok_and(|all| all.is_empty())
                && self.host.abandoned_cgroups().is_empty()
        };
        let left = || {
            let (programs, rules, cgroups) = (self.programs(), self.rules(), self.host.abandoned_cgroups());
            format!("after {within:?} there are still {programs:?}, {rules:?} and {cgroups:?}")
        };
        ensure!(wait_until(within, clean), left());
        ensure!(self.host.hosts_file()? == HOSTS, "names were changed: {}", self.host.hosts_file()?);
        ensure!(wait_until(WEBKIT, || self.programs().is_empty()), left());
        Ok(())
    }

    fn rules(&self) -> Result<Vec<String>> {
        self.host.nft_tables()
    }

    fn around(display: Display, host: &Host, folder: PathBuf) -> Result<Self> {
        let bus = Bus::start(host, &folder)?;
        Ok(Self { host: host.clone(), folder, display, bus })
    }
}

/// The user's own, in the host's folder, so that it goes with the lab.
fn make_folder(host: &Host) -> Result<PathBuf> {
    let folder = host.runtime_folder().join("desktop");
    host.run(|| fs::create_dir_all(&folder))?.with_context(|| show(&folder))?;
    Ok(folder)
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
