//! polkit's question in a terminal, where no desktop asks it.

use std::{
    io::{IsTerminal, stdin},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid, getpgrp, tcgetpgrp},
};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout,
};

use crate::ssh::environment;

/// It registers within 100 ms; without it the question is asked all the same, just not here.
const READY: Duration = Duration::from_secs(5);

/// Asks in this process's terminal for as long as it lives.
pub struct Agent(Child);

/// None where nobody could be asked, or polkit asks nobody: root is allowed everything. A desktop's own agent comes
/// first where there is one.
pub async fn agent() -> Option<Agent> {
    if geteuid().is_root() || !in_foreground() {
        return None;
    }
    let pid = std::process::id().to_string();
    let mut child = Command::new("pkttyagent")
        .args(["--process", &pid, "--notify-fd", "1"])
        // as a fallback polkit finds it only through a session, which a bare terminal may not have
        .args(has_desktop().then_some("--fallback"))
        .env_clear()
        .envs(environment::cleaned(std::env::vars_os()))
        // it speaks on the terminal itself, and closes what it was told to when it is ready
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .inspect_err(|error| tracing::debug!(%error, "no agent for the terminal"))
        .ok()?;
    let ready = child.stdout.take();
    let agent = Agent(child);
    let _ = timeout(READY, ready?.read_to_end(&mut vec![])).await;
    Some(agent)
}

fn has_desktop() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
}

/// A process in the background is stopped when it reads from its terminal.
fn in_foreground() -> bool {
    stdin().is_terminal() && tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

impl Drop for Agent {
    /// Not killed outright: it may have switched off the terminal's echo.
    fn drop(&mut self) {
        if let Some(pid) = self.0.id() {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGTERM);
        }
    }
}
