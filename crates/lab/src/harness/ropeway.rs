//! `ropeway run` on the client, as a value that tests can wait for, hurt and end.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::{Host, Lab, harness, harness::wait_until};

/// How long a clean end may take when a test is over; then it is killed.
const END: Duration = Duration::from_secs(5);

/// A running `ropeway run`. When the value is dropped it gets a SIGTERM, and a SIGKILL if that does not help.
#[derive(Debug)]
pub struct Ropeway {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    status: Option<ExitStatus>,
}

impl Ropeway {
    /// Starts it with the lab's ssh configuration. `server` is a host of that; none means this computer. `args` are
    /// subnets and further options.
    pub fn start(lab: &Lab, server: Option<&str>, args: &[&str]) -> Result<Self> {
        Self::start_on(lab, &lab.client(), server, args)
    }

    /// The same with another build of the program.
    pub fn start_program(lab: &Lab, program: &Path, server: Option<&str>, args: &[&str]) -> Result<Self> {
        Self::spawn(lab, lab.client().command(program)?, server, args)
    }

    /// The same by `sudo`, on a computer without a system bus: with a helper of its own, and for everybody.
    pub fn start_as_root(lab: &Lab, server: Option<&str>, args: &[&str]) -> Result<Self> {
        let client = lab.client().as_root();
        let mut command = client.command(client.program("ropeway")?)?;
        command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/none");
        Self::spawn(lab, command, server, args)
    }

    /// The same on a computer without cgroups.
    pub fn start_without_cgroups(lab: &Lab, server: Option<&str>, args: &[&str]) -> Result<Self> {
        Self::start_on(lab, &lab.client().without_cgroups(), server, args)
    }

    /// The search for names alone, `ropeway hostwatch`.
    pub fn hostwatch(lab: &Lab, server: &str, args: &[&str]) -> Result<Self> {
        let client = lab.client();
        Self::spawn_task(lab, client.command(client.program("ropeway")?)?, "hostwatch", Some(server), args)
    }

    fn start_on(lab: &Lab, client: &Host, server: Option<&str>, args: &[&str]) -> Result<Self> {
        Self::spawn(lab, client.command(client.program("ropeway")?)?, server, args)
    }

    fn spawn(lab: &Lab, command: Command, server: Option<&str>, args: &[&str]) -> Result<Self> {
        Self::spawn_task(lab, command, "run", server, args)
    }

    fn spawn_task(
        lab: &Lab,
        mut command: Command,
        task: &str,
        server: Option<&str>,
        args: &[&str],
    ) -> Result<Self> {
        command.arg(task);
        if let Some(server) = server {
            command.args(["-r", server, "-e", &format!("ssh -F {}", lab.ssh_config().display())]);
        }
        let mut child = command
            .process_group(0)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = Arc::default();
        collect(child.stdout.take().context("no stdout")?, &lines);
        collect(child.stderr.take().context("no stderr")?, &lines);
        Ok(Self { child, lines, status: None })
    }

    /// Starts it and waits until it is connected.
    pub fn connect(lab: &Lab, server: Option<&str>, args: &[&str]) -> Result<Self> {
        let ropeway = Self::start(lab, server, args)?;
        ropeway.wait_for_line("Connected", Duration::from_secs(20))?;
        Ok(ropeway)
    }

    /// What it printed so far, on both streams.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line that contains `text`.
    pub fn wait_for_line(&self, text: &str, within: Duration) -> Result<()> {
        self.wait_for_line_after(0, text, within)
    }

    /// Waits for a line that contains `text`, among those after the first `seen`.
    pub fn wait_for_line_after(&self, seen: usize, text: &str, within: Duration) -> Result<()> {
        let printed = || self.lines().iter().skip(seen).any(|line| line.contains(text));
        if wait_until(within, printed) {
            return Ok(());
        }
        bail!("no line with {text:?} within {within:?}, but:\n{}", self.lines().join("\n"))
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// What Ctrl-C at its terminal does: everything in its process group is interrupted.
    pub fn interrupt(&self) -> Result<()> {
        Ok(killpg(self.pid(), Signal::SIGINT)?)
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(self.pid(), signal)?)
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        while self.status.is_none() {
            self.status = self.child.try_wait()?;
            if self.status.is_none() && Instant::now() > deadline {
                bail!("still runs after {within:?}; it printed:\n{}", self.lines().join("\n"));
            }
            thread::sleep(harness::LOOK);
        }
        self.status.context("it has ended")
    }
}

impl Drop for Ropeway {
    fn drop(&mut self) {
        let _ = self.signal_if_running(Signal::SIGTERM);
        if self.wait_for_end(END).is_err() {
            let _ = self.signal_if_running(Signal::SIGKILL);
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("ropeway printed:\n{}", self.lines().join("\n"));
        }
    }
}

impl Ropeway {
    fn signal_if_running(&mut self, signal: Signal) -> Result<()> {
        if self.status.is_none() { self.signal(signal) } else { Ok(()) }
    }
}

fn collect(stream: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}
