//! The real program at the end of a socket pair, as the engine starts it. It runs with `CAP_NET_ADMIN` and no other
//! capability, so every test also shows that this is enough.

use std::{
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ropeway_helper::{
    platform::Kernel,
    rules::{ClientId, Key, Rules, SessionBlock, SessionPlan},
    store::Store,
};
use ropeway_helper_api::{
    Block, BlockId, Capture, EPOCH, Grant, HelperCode, ListenerPorts, Message, Plan, Ports, REVISION, Reject,
    Reply, Request, Route, SessionId, wire,
};

use crate::world::{eventually, state_folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ropeway-helper");

/// What DESIGN allows for a table to vanish and a process to end.
const SOON: Duration = Duration::from_secs(2);

pub struct Helper {
    child: Child,
    socket: Option<UnixStream>,
}

impl Helper {
    pub fn start() -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let child = command("-all,+net_admin", OwnedFd::from(far)).spawn().unwrap();
        let mut helper = Self { child, socket: Some(near) };
        let hello = Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() };
        assert!(matches!(helper.ask(&hello, None), Reply::Hello { grant: Grant::All, .. }));
        helper
    }

    pub fn ask(&mut self, request: &Request, fd: Option<BorrowedFd>) -> Reply {
        let socket = self.socket.as_ref().unwrap();
        wire::send(socket, request, fd.as_slice()).unwrap();
        loop {
            if let Message::Reply { reply } = wire::receive(socket).unwrap().expect("a reply").message {
                return reply;
            }
        }
    }

    /// With the descriptor that comes along.
    pub fn ask_for(&mut self, request: &Request) -> (Reply, Option<OwnedFd>) {
        let socket = self.socket.as_ref().unwrap();
        wire::send(socket, request, &[]).unwrap();
        loop {
            let received = wire::receive(socket).unwrap().expect("a reply");
            if let Message::Reply { reply } = received.message {
                return (reply, received.fds.into_iter().next());
            }
        }
    }

    pub fn load(&mut self, session: u32, plan: Plan) {
        let reply = self.ask(&Request::Load { session: SessionId(session), plan }, None);
        assert!(matches!(reply, Reply::Loaded { .. }), "{reply:?}");
    }

    pub fn block(&mut self, session: u32, block: Block) {
        let reply = self.ask(&Request::Block { session: SessionId(session), block }, None);
        assert_eq!(reply, Reply::Done);
    }

    pub fn load_with_cgroup(&mut self, session: u32, plan: Plan, folder: BorrowedFd) -> Reply {
        let plan = Plan { direct_cgroup: true, ..plan };
        self.ask(&Request::Load { session: SessionId(session), plan }, Some(folder))
    }

    pub fn unload(&mut self, session: u32) {
        assert_eq!(self.ask(&Request::Unload { session: SessionId(session) }, None), Reply::Done);
    }

    /// User and system time: unlike the clock, it says the same on a busy machine.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<u64> =
            stat.rsplit(')').next().unwrap().split(' ').filter_map(|f| f.parse().ok()).collect();
        let ticks = fields[10] + fields[11]; // behind the name and the state's letter: utime and stime (proc_pid_stat(5))
        Duration::from_millis(10 * ticks) // USER_HZ is 100 on every architecture of today
    }

    pub fn signal(&mut self, signal: Signal) -> &mut Self {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        self
    }

    pub fn hang_up(&mut self) -> &mut Self {
        self.socket = None;
        self
    }

    /// How it ended; it must be soon.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(&true, SOON, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these capabilities (`setpriv`'s syntax) and this standard input.
pub fn command(capabilities: &str, stdin: impl Into<Stdio>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", capabilities, "--inh-caps", "-all", PROGRAM])
        .stdin(stdin)
        .env("RUST_LOG", "error")
        .env("ROPEWAY_HELPER_STATE", state_folder());
    command
}

pub fn code(reply: &Reply) -> Option<HelperCode> {
    match reply {
        Reply::Error(error) => Some(error.code),
        _ => None,
    }
}

/// Redirects to the eight ports from `port` on.
pub fn plan(include: &[&str], exclude: &[&str], port: u16) -> Plan {
    let listener = Some(Ports { first: port, last: port + 7 });
    Plan {
        include: include.iter().map(|text| route(text)).collect(),
        exclude: exclude.iter().map(|text| route(text)).collect(),
        listeners: ListenerPorts { v4: listener, v6: listener },
        capture: Capture::Everyone,
        endpoints: vec![],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
        reject: Reject::default(),
        meter: false,
    }
}

pub fn block(id: u64, include: &[&str], exclude: &[&str]) -> Block {
    Block {
        id: BlockId(id),
        include: include.iter().map(|text| route(text)).collect(),
        exclude: exclude.iter().map(|text| route(text)).collect(),
        capture: Capture::Everyone,
        endpoints: vec![],
        dns: false,
        direct_cgroup: false,
    }
}

/// The rules without the program around them: as whoever the test says.
pub fn library() -> Rules<Kernel> {
    Rules::new(Kernel::default(), Store::new(PathBuf::from(state_folder())))
}

/// Of this user, whose client has the same number.
pub fn of(uid: u32, session: u32) -> Key {
    Key { client: ClientId(uid.into()), session: SessionId(session) }
}

pub fn session(uid: u32, grant: Grant, plan: Plan) -> SessionPlan {
    SessionPlan { plan, uid, grant, direct_cgroup: None, captured_cgroup: None, meter: None }
}

pub fn session_block(uid: u32, grant: Grant, block: Block) -> SessionBlock {
    SessionBlock { block, uid, grant, direct_cgroup: None }
}

/// `NET`, or `NET FIRST-LAST`.
fn route(text: &str) -> Route {
    let (net, ports) = text.split_once(' ').unwrap_or((text, "0-65535"));
    let (first, last) = ports.split_once('-').unwrap();
    Route {
        net: net.parse().unwrap(),
        ports: Ports { first: first.parse().unwrap(), last: last.parse().unwrap() },
    }
}

pub fn table_exists() -> bool {
    crate::world::try_run("nft list table inet ropeway").status.success()
}

pub fn is_closed() -> bool {
    crate::world::try_run("nft list table inet ropeway_ks").status.success()
}

pub fn table_goes_soon() {
    eventually(&false, SOON, table_exists);
}
