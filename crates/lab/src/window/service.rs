//! A program that runs in the background as long as its value lives.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::harness::wait_until;

/// How long a program may take to end when asked to; all of these need a few milliseconds.
const END: Duration = Duration::from_secs(3);

/// Ended when dropped: asked first, then killed.
#[derive(Debug)]
pub struct Service(Child);

impl Service {
    /// What it says on stderr goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        // its own group: a Ctrl-C at the terminal is ours to answer, not its
        command.stdin(Stdio::null()).stderr(File::create(log)?).process_group(0);
        let child = command.spawn();
        let child = child.with_context(|| {
            format!("cannot start {}; `make setup` installs what is missing", command.get_program().display())
        })?;
        Ok(Self(child))
    }

    /// The first line that it prints; its stdout must be a pipe.
    pub fn first_line(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Kills it as a crash would.
    pub fn crash(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.runs() {
            let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        }
        if !wait_until(END, || !self.runs()) {
            self.crash();
        }
    }
}
