//! A kernel that is played, and one client in front of it.

use std::{
    collections::VecDeque,
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    sync::{Arc, Mutex},
};

use ropeway_helper::{
    client::{Answer, Client},
    grants::Grants,
    hosts::HostsFile,
    rules::{ClientId, Firewall, FirewallError, Rules, Script, State as Seen, Table},
    state::State,
    store::Store,
};
use ropeway_helper_api::{
    Capture, EPOCH, Grant, HelperCode, HelperError, ListenerPorts, Plan, Ports, REVISION, Reject, Reply,
    Request, SessionId, wire::Received,
};
use tempfile::TempDir;

/// Has grant `all`.
pub const ALICE: u32 = 61_000;
/// Has grant `own`.
pub const BOB: u32 = 61_001;
/// Has none.
pub const EVE: u32 = 61_002;

/// The kernel as the tests want it to be: what it holds, and how it takes the next changes.
#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<Kernel>>);

#[derive(Default)]
pub struct Kernel {
    pub table: Option<Script>,
    next: VecDeque<FirewallError>,
    /// Another program has removed the redirect table.
    flushed: bool,
}

impl Firewall for Fake {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        let mut kernel = self.0.lock().unwrap();
        let result = kernel.next.pop_front();
        if matches!(result, None | Some(FirewallError::Differs(_))) {
            kernel.table = Some(script.clone());
            kernel.flushed = false;
        }
        result.map_or(Ok(()), Err)
    }

    fn remove(&mut self, table: Table) -> Result<(), FirewallError> {
        if table == Table::Redirect {
            self.0.lock().unwrap().table = None;
        }
        Ok(())
    }

    fn state(&mut self, table: Table) -> Result<Seen, FirewallError> {
        let gone = table == Table::Redirect && self.0.lock().unwrap().flushed;
        Ok(if gone { Seen::Gone } else { Seen::Intact })
    }
}

impl Fake {
    pub fn flush(&self) {
        self.0.lock().unwrap().flushed = true;
    }

    pub fn fail_next(&self, errors: impl IntoIterator<Item = FirewallError>) {
        self.0.lock().unwrap().next = errors.into_iter().collect();
    }

    /// The listeners that something is redirected to, in the order of the rules.
    pub fn listeners(&self) -> Vec<u16> {
        let text = self.0.lock().unwrap().table.as_ref().map(Script::to_string).unwrap_or_default();
        let ports = text.split("redirect to :").skip(1);
        ports.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
    }
}

pub struct Bench {
    pub kernel: Fake,
    pub state: Mutex<State<Fake>>,
    pub client: Client,
    pub folder: TempDir,
}

impl Bench {
    /// Of a user with grant `all`.
    pub fn greeted() -> Self {
        Self::greeted_as(ALICE, Grant::All)
    }

    pub fn greeted_as(uid: u32, expected: Grant) -> Self {
        let mut bench = Self::of(uid);
        match bench.say(hello()).reply {
            Reply::Hello { epoch: EPOCH, revision: REVISION, grant, .. } => assert_eq!(grant, expected),
            other => panic!("{other:?}"),
        }
        bench
    }

    pub fn new() -> Self {
        Self::of(ALICE)
    }

    pub fn of(uid: u32) -> Self {
        let kernel = Fake::default();
        let folder = tempfile::tempdir().unwrap();
        let state = Mutex::new(state(&kernel, folder.path()));
        Self { state, kernel, client: Client::new(ClientId(1), uid), folder }
    }

    pub fn say(&mut self, request: Request) -> Answer {
        self.client.answer(&self.state, Received { message: request, fds: vec![] })
    }

    pub fn hand_over(&mut self, request: Request, fd: OwnedFd) -> Answer {
        self.client.answer(&self.state, Received { message: request, fds: vec![fd] })
    }
}

/// Who may speak on a socket of this process: Alice played by root, or whoever runs the test.
pub fn me() -> u32 {
    let user = nix::unistd::geteuid();
    if user.is_root() { ALICE } else { user.as_raw() }
}

/// With the grants of Alice and Bob.
pub fn state(kernel: &Fake, folder: &Path) -> State<Fake> {
    fs::create_dir_all(folder.join("state")).unwrap();
    let grants = format!("{{\"{ALICE}\":\"all\",\"{}\":\"all\",\"{BOB}\":\"own\"}}", me());
    fs::write(folder.join("state/grants"), grants).unwrap();
    fs::write(folder.join("hosts"), "127.0.0.1 localhost\n").unwrap();
    let store = Store::new(folder.join("state"));
    let rules = Rules::new(kernel.clone(), store.clone());
    State::new(rules, HostsFile::new(folder.join("hosts"), store.clone()), Grants::new(store))
}

pub fn hello() -> Request {
    Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() }
}

pub fn load(session: u32, net: &str, port: u16) -> Request {
    Request::Load { session: SessionId(session), plan: plan(net, port) }
}

pub fn plan(net: &str, port: u16) -> Plan {
    Plan {
        include: vec![net.parse::<ipnet::IpNet>().unwrap().into()],
        exclude: vec![],
        listeners: ListenerPorts { v4: Some(Ports { first: port, last: port + 7 }), v6: None },
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

pub fn code(answer: &Answer) -> Option<HelperCode> {
    match &answer.reply {
        Reply::Error(HelperError { code, .. }) => Some(*code),
        _ => None,
    }
}

pub fn is_loaded(answer: &Answer) -> bool {
    matches!(answer.reply, Reply::Loaded { .. })
}

pub fn a_pipe() -> OwnedFd {
    UnixStream::pair().unwrap().0.into()
}
