//! The running system: its bus and systemd read their files again, and a running helper ends. Over D-Bus alone.

use std::{
    os::fd::{AsFd, FromRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use ropeway_helper_api::bus;
use zbus::{
    blocking::{Connection, connection},
    zvariant::{DynamicType, OwnedObjectPath, OwnedValue},
};

use super::InstallError;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SYSTEMD_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "ropeway-helper.service";

/// What libdbus allows an answer as well. systemd may be busy with its own reload.
const ANSWER: Duration = Duration::from_secs(25);

/// More than `TimeoutStopSec=` of the unit and what it runs afterwards.
const END: Duration = Duration::from_secs(25);

/// How often a unit is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Nothing runs that would have to know: no error.
pub fn reload() -> Result<(), InstallError> {
    let Some(system) = System::connect() else { return Ok(()) };
    system.bus("ReloadConfig", &()).map(drop)?;
    if system.has(SYSTEMD)? {
        system.reload_units()?;
    }
    Ok(())
}

/// When it returns, no helper runs, and what runs after it has run.
pub fn end_running() -> Result<(), InstallError> {
    let Some(system) = System::connect() else { return Ok(()) };
    if system.has(SYSTEMD)? {
        system.stop_unit()?;
    }
    system.end_owner()
}

struct System(Connection);

impl System {
    /// None where there is no system bus.
    fn connect() -> Option<Self> {
        let connection = connection::Builder::system().ok()?.method_timeout(ANSWER).build();
        connection.inspect_err(|error| tracing::info!(%error, "no system bus")).ok().map(Self)
    }

    fn has(&self, name: &str) -> Result<bool, InstallError> {
        Ok(self.bus("NameHasOwner", &name)?.body().deserialize()?)
    }

    fn bus(&self, method: &str, body: &(impl serde::Serialize + DynamicType)) -> zbus::Result<zbus::Message> {
        let name = "org.freedesktop.DBus";
        self.0.call_method(Some(name), "/org/freedesktop/DBus", Some(name), method, body)
    }

    fn systemd(
        &self,
        method: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) -> zbus::Result<zbus::Message> {
        self.0.call_method(Some(SYSTEMD), SYSTEMD_PATH, Some(MANAGER), method, body)
    }

    /// systemd may leave the bus meanwhile, and then nobody answers.
    fn reload_units(&self) -> Result<(), InstallError> {
        match self.systemd("Reload", &()) {
            Err(zbus::Error::MethodError(name, _, _)) if name.as_str().ends_with(".NoReply") => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    /// Until its last process has ended, `ExecStopPost=` included.
    fn stop_unit(&self) -> Result<(), InstallError> {
        let Ok(unit) = self.systemd("GetUnit", &UNIT) else { return Ok(()) };
        let unit: OwnedObjectPath = unit.body().deserialize()?;
        self.systemd("StopUnit", &(UNIT, "replace"))?;
        let deadline = Instant::now() + END;
        while !self.has_stopped(&unit) {
            if Instant::now() > deadline {
                return Err(InstallError::Running(UNIT.into()));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// A unit that systemd does not know any more has.
    fn has_stopped(&self, unit: &OwnedObjectPath) -> bool {
        let question = ("org.freedesktop.systemd1.Unit", "ActiveState");
        let properties = Some("org.freedesktop.DBus.Properties");
        let answer = self.0.call_method(Some(SYSTEMD), unit, properties, "Get", &question);
        let state = answer.and_then(|answer| answer.body().deserialize::<OwnedValue>());
        let state = state.ok().and_then(|value| String::try_from(value).ok());
        state.is_none_or(|state| state == "inactive" || state == "failed")
    }

    /// One that the bus itself has started.
    fn end_owner(&self) -> Result<(), InstallError> {
        let Ok(answer) = self.bus("GetConnectionUnixProcessID", &bus::NAME) else { return Ok(()) };
        let pid: u32 = answer.body().deserialize()?;
        let Ok(process) = open(pid) else { return Ok(()) };
        // it may have ended, and another process may have its number, before it was opened
        match self.bus("GetConnectionUnixProcessID", &bus::NAME) {
            Ok(answer) if answer.body().deserialize::<u32>()? == pid => {}
            _ => return Ok(()),
        }
        terminate(&process).map_err(|error| InstallError::Running(error.to_string()))?;
        if ends_within(&process, END) {
            return Ok(());
        }
        Err(InstallError::Running(format!("process {pid}")))
    }
}

impl From<zbus::Error> for InstallError {
    fn from(error: zbus::Error) -> Self {
        Self::Bus(error.to_string())
    }
}

fn open(pid: u32) -> nix::Result<OwnedFd> {
    // SAFETY: takes and returns numbers
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made it for us
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn terminate(process: &OwnedFd) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    let (fd, no_details) = (process.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: the descriptor is open, and the kernel makes up the details itself
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGTERM, no_details, 0) };
    match Errno::result(sent) {
        Err(Errno::ESRCH) => Ok(()),
        result => result.map(drop),
    }
}

fn ends_within(process: &OwnedFd, time: Duration) -> bool {
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], left) {
            Err(Errno::EINTR) => {}
            result => return result.is_ok_and(|ready| ready > 0),
        }
    }
}
