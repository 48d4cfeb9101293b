//! Which processes belong to a host: those in its network namespace. The kernel keeps that list, so it also holds
//! what a crashed test left behind and what cleared its environment.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::system_bus;

/// How long killed processes may take to be gone: milliseconds, more on a busy machine.
const DYING: Duration = Duration::from_secs(5);

/// A process of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number on the machine.
    pub pid: i32,
    /// Its arguments, separated by spaces; the name in brackets for one that has none.
    pub line: String,
    /// Its short name, 15 characters at most.
    pub name: String,
}

impl Process {
    /// Part of the lab itself, not of what is tested in it.
    pub fn is_infrastructure(&self) -> bool {
        let system_bus = self.name == "dbus-daemon" && self.line.contains(system_bus::CONFIGURATION);
        self.name.starts_with("sshd") || self.name == "ropeway-lab" || system_bus
    }

    /// The helper as the system bus starts it.
    pub fn is_system_helper(&self) -> bool {
        self.name == "ropeway-helper" && self.line.ends_with(" --bus")
    }

    /// Sends the signal; one that has just ended is no error.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }
}

/// All processes whose network namespace is the one that the file names; none when there is no such file.
pub fn inside(namespace: &Path) -> Vec<Process> {
    let Ok(wanted) = fs::metadata(namespace) else { return Vec::new() };
    pids().filter(|pid| namespace_of(*pid) == Some((wanted.dev(), wanted.ino()))).filter_map(read).collect()
}

/// Kills all of them, also those that they start meanwhile.
pub fn kill_inside(namespace: &Path) -> Result<()> {
    let deadline = Instant::now() + DYING;
    loop {
        let left = inside(namespace);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("cannot be killed: {left:?}");
        }
        for process in left {
            process.signal(Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// When the process started, in the kernel's ticks; with its number this names it for good.
pub fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in parentheses may hold anything; field 22, counted from 1, is the 20th after it
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

fn pids() -> impl Iterator<Item = i32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

/// None for a process that has ended, also for one that nobody has waited for yet.
fn namespace_of(pid: i32) -> Option<(u64, u64)> {
    fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|data| (data.dev(), data.ino()))
}

fn read(pid: i32) -> Option<Process> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&arguments).replace('\0', " ").trim_end().to_owned();
    let line = if line.is_empty() { format!("[{name}]") } else { line };
    Some(Process { pid, line, name })
}
