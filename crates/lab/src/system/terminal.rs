//! A terminal with a person at it, who is asked for a password.

use std::{
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use nix::{
    pty::openpty,
    sys::termios::{LocalFlags, tcgetattr},
    unistd::setsid,
};

use crate::harness::wait_until;

/// polkit starts, and asks; PAM takes two seconds to say no to a wrong password.
const SOON: Duration = Duration::from_secs(20);

/// A program that runs in a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// Nobody writes to it here; it tells how the terminal is set, also while nobody has it open.
    program_side: OwnedFd,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts it; the terminal is also its standard input and output.
    pub fn start(command: &mut Command) -> Result<Self> {
        let pair = openpty(None, None)?;
        let end = || pair.slave.try_clone();
        command.stdin(end()?).stdout(end()?).stderr(end()?);
        // SAFETY: between fork and exec this makes two system calls
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                // the terminal that is now standard input becomes that of the new session
                let taken = nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0);
                nix::errno::Errno::result(taken)?;
                Ok(())
            });
        }
        let child = command.spawn()?;
        let keyboard = File::from(pair.master);
        let screen = Arc::default();
        show(keyboard.try_clone()?, &screen);
        Ok(Self { child, keyboard, program_side: pair.slave, screen })
    }

    /// Waits until that stands there.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        ensure!(wait_until(SOON, || self.screen().contains(text)), "no {text:?} in {:?}", self.screen());
        Ok(())
    }

    /// Types it when a password is asked for: when what is typed is not shown any more. What was typed before that is
    /// thrown away by who asks.
    pub fn type_password(&mut self, password: &str) -> Result<()> {
        self.wait_for("Password: ")?;
        let hidden = || {
            tcgetattr(self.program_side.as_fd())
                .is_ok_and(|state| !state.local_flags.contains(LocalFlags::ECHO))
        };
        ensure!(wait_until(SOON, hidden), "the password would be shown");
        Ok(writeln!(self.keyboard, "{password}")?)
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("still runs; its screen: {:?}", self.screen());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// All that it printed.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn show(mut output: File, screen: &Arc<Mutex<String>>) {
    let screen = Arc::clone(screen);
    thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(length @ 1..) = output.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]);
            screen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
}
