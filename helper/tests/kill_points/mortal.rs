//! The helper with kill points, and the two ways in which it recovers.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use ropeway_helper_api::{EPOCH, Message, REVISION, Reply, Request, wire};

use crate::machine::Machine;

/// Where it is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Death {
    Never,
    /// At this kill point, if it comes so far.
    At(u64),
    /// By somebody else, when there is nothing more to do.
    AtTheEnd,
}

pub struct Mortal {
    child: Child,
    socket: UnixStream,
}

impl Mortal {
    pub fn start(machine: &Machine, death: Death, log: Stdio) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let child = command(machine, death).stdin(OwnedFd::from(far)).stderr(log).spawn().unwrap();
        Self { child, socket: near }
    }

    /// None when it has died.
    pub fn ask(&self, request: &Request) -> Option<Reply> {
        wire::send(&self.socket, request, &[]).ok()?;
        match wire::receive(&self.socket).ok()??.message {
            Message::Reply { reply } => Some(reply),
            Message::Notice { notice } => panic!("{notice:?}"),
        }
    }

    pub fn greet(&self) -> Option<Reply> {
        self.ask(&Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() })
    }

    /// Hangs up. What it wrote, and whether it was killed.
    pub fn end(self) -> (String, bool) {
        drop(self.socket);
        let output = self.child.wait_with_output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), was_killed(output.status))
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// As `ExecStopPost=` and the unit at boot run it.
pub fn undo(machine: &Machine, death: Death) {
    let killed = was_killed(command(machine, death).arg("--undo").status().unwrap());
    assert!(!killed || death != Death::Never);
}

pub fn points_of_undo(machine: &Machine) -> u64 {
    let output = command(machine, Death::Never).arg("--undo").stderr(Stdio::piped()).output().unwrap();
    points(&String::from_utf8(output.stderr).unwrap()).len() as u64
}

/// The next helper: it has undone everything when it answers.
pub fn start_and_end(machine: &Machine) {
    let mortal = Mortal::start(machine, Death::Never, Stdio::null());
    assert!(mortal.greet().is_some());
    assert!(!mortal.end().1);
}

/// The kill points that a log names.
pub fn points(log: &str) -> Vec<String> {
    let points = log.lines().filter_map(|line| line.strip_prefix("point ")?.split_once(": "));
    points.map(|(_, name)| name.into()).collect()
}

/// It ends in order or by a kill point; anything else is a mistake of its own.
fn was_killed(status: ExitStatus) -> bool {
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{status}");
    killed
}

fn command(machine: &Machine, death: Death) -> Command {
    let at = match death {
        Death::At(point) => point.to_string(),
        Death::Never | Death::AtTheEnd => "never".into(),
    };
    let mut command = Command::new(program());
    command
        .env("ROPEWAY_KILL_AT", at)
        .env("ROPEWAY_HELPER_STATE", machine.state())
        .env("ROPEWAY_HELPER_HOSTS", machine.hosts())
        .env("RUST_LOG", "error")
        .stderr(Stdio::null());
    command
}

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_ropeway-helper")).with_file_name("ropeway-helper-mortal");
    let build = "cargo build -p ropeway-helper --features kill-points --bin ropeway-helper-mortal";
    assert!(program.exists(), "{} is missing, this builds it: {build}", program.display());
    program
}
