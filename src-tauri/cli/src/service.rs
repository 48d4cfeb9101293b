//! Into the background, a file with the process's number, the system log.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe, setsid};

use crate::{args::Service, say::print, syslog};

/// What has to be done when it is connected, and at the end.
#[derive(Default)]
pub struct Running {
    /// The terminal's process waits for a word here.
    waiting: Option<File>,
    pidfile: Option<PathBuf>,
}

/// Before anything else runs: only one thread survives a fork. Err for the process that stays at the terminal, with how it
/// ends.
pub fn begin(service: &Service) -> Result<Running, ExitCode> {
    if service.python.is_some() {
        print(io::stderr(), "--python is not needed: nothing of Python runs on the server.");
    }
    if let Some(pid) = service.pidfile.as_deref().and_then(owner) {
        print(io::stderr(), &format!("Process {pid} runs with that --pidfile already."));
        return Err(ExitCode::FAILURE);
    }
    let waiting = if service.daemon { Some(detach()?) } else { None };
    if service.syslog {
        syslog::switch_on();
    }
    Ok(Running { waiting, pidfile: service.pidfile.clone() })
}

impl Running {
    /// It is up: whoever waited at the terminal may go.
    pub fn connected(&mut self) -> io::Result<()> {
        if let Some(file) = &self.pidfile {
            fs::write(file, format!("{}\n", process::id()))?;
        }
        if let Some(mut waiting) = self.waiting.take() {
            let nowhere: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
            dup2_stdin(&nowhere)?;
            dup2_stdout(&nowhere)?;
            dup2_stderr(&nowhere)?;
            waiting.write_all(b"1")?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(file) = self.pidfile.take().filter(|file| number(file) == Some(process::id())) {
            let _ = fs::remove_file(file);
        }
    }
}

fn detach() -> Result<File, ExitCode> {
    let failed = |error: nix::Error| {
        print(io::stderr(), &format!("It cannot go into the background: {error}"));
        ExitCode::FAILURE
    };
    let (read, write) = pipe().map_err(failed)?;
    // SAFETY: nothing has made a thread yet, so the child has all there is
    match unsafe { fork() }.map_err(failed)? {
        ForkResult::Child => {
            setsid().map_err(failed)?;
            drop(read);
            Ok(write.into())
        }
        ForkResult::Parent { .. } => {
            drop(write);
            // what went wrong has been said by the child, which still has the terminal
            let connected = File::from(read).read(&mut [0]).is_ok_and(|length| length == 1);
            Err(if connected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn number(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The process that the file names, if it is there and not ourselves.
fn owner(file: &Path) -> Option<u32> {
    let pid = number(file).filter(|pid| *pid != process::id())?;
    nix::sys::signal::kill(Pid::from_raw(pid as i32), None).is_ok().then_some(pid)
}
