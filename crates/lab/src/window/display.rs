//! Where windows are drawn: an X server of our own, or the one that the user sits at.

use std::{
    env, fmt, fs, io,
    ops::Range,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};

use super::service::Service;
use crate::{Host, harness::wait_until};

/// Above those of people who sit at this computer.
const NUMBERS: Range<u16> = 100..200;

/// How long an X server may take to listen: a blink, and more while others compile.
const START: Duration = Duration::from_secs(10);

/// Larger than the window, so that nothing of it is cut off.
const SCREEN: &str = "1280x900x24";

/// Where X servers have their sockets.
const SOCKETS: &str = "/tmp/.X11-unix";

/// An X display that programs on a host can draw on.
#[derive(Debug)]
pub struct Display {
    name: String,
    /// The file with the key to somebody else's display.
    key: Option<PathBuf>,
    server: Option<Service>,
}

impl Display {
    /// A server that draws into memory, on a free number.
    pub fn start(host: &Host, folder: &Path) -> Result<Self> {
        let log = folder.join("display.log");
        make_folder_of_sockets()?;
        for number in NUMBERS.filter(|number| is_free(*number)) {
            let mut server = Service::start(&mut xvfb(host, number)?, &log)?;
            let ours = |server: &Service| holds(server, number) && listens(number);
            if wait_until(START, || ours(&server) || !server.runs()) && ours(&server) {
                return Ok(Self { name: format!(":{number}"), key: None, server: Some(server) });
            }
        }
        bail!("Xvfb does not start; see {}", log.display())
    }

    /// The display of the person who started us, if there is one on this computer.
    pub fn of_user(host: &Host, folder: &Path) -> Option<Self> {
        let name = env::var("DISPLAY").ok().filter(|name| name.starts_with(':'))?;
        Some(Self { name, key: copy_of_key(host, folder), server: None })
    }

    /// Whether nobody sees it.
    pub fn is_virtual(&self) -> bool {
        self.server.is_some()
    }

    /// As in `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a program draw here.
    pub fn show(&self, command: &mut Command) {
        command.env("DISPLAY", &self.name).env("GDK_BACKEND", "x11").env_remove("WAYLAND_DISPLAY");
        if let Some(key) = &self.key {
            command.env("XAUTHORITY", key);
        }
    }

    /// The end of the server, as when it crashes or the user logs out. It cannot clear away after itself then.
    pub fn crash(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.crash();
            let number = self.name.trim_start_matches(':');
            let _ = fs::remove_file(socket(number));
            let _ = fs::remove_file(lock(number));
        }
    }
}

/// The lock in `/tmp` makes the number ours. The server's own search for a free number knows no locks, only its own
/// network namespace, and would take the place of the socket of a display outside.
fn xvfb(host: &Host, number: u16) -> Result<Command> {
    let mut command = host.command("Xvfb")?;
    command.arg(format!(":{number}")).args(["-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]);
    command.stdout(Stdio::null());
    Ok(command)
}

/// An X server makes it only for root; on a computer with a screen it is there.
fn make_folder_of_sockets() -> io::Result<()> {
    match fs::create_dir(SOCKETS) {
        Ok(()) => fs::set_permissions(SOCKETS, fs::Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_free(number: u16) -> bool {
    !Path::new(&lock(number)).exists() && !Path::new(&socket(number)).exists()
}

/// Several may have tried at the same moment.
fn holds(server: &Service, number: u16) -> bool {
    fs::read_to_string(lock(number)).is_ok_and(|holder| holder.trim() == server.pid().to_string())
}

fn listens(number: u16) -> bool {
    UnixStream::connect(socket(number)).is_ok()
}

fn lock(number: impl fmt::Display) -> String {
    format!("/tmp/.X{number}-lock")
}

fn socket(number: impl fmt::Display) -> String {
    format!("{SOCKETS}/X{number}")
}

/// The user's own is often below `/run`, which hosts of the lab have for themselves.
fn copy_of_key(host: &Host, folder: &Path) -> Option<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".Xauthority"));
    let key = env::var_os("XAUTHORITY").map(PathBuf::from).or(home)?;
    let copy = folder.join("display.key");
    fs::copy(key, &copy).ok()?;
    chown(&copy, Some(host.uid()), None).ok()?;
    Some(copy)
}
