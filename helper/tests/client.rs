//! What a client may say, honest or not, with the kernel's part played by a fake.
#![allow(clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    io::{self, Write},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    sync::{Arc, Mutex},
};

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use ropeway_helper::{
    client::{Answer, Client},
    grants::Grants,
    hosts::HostsFile,
    rules::{ClientId, Firewall, FirewallError, Rules, Script, Table},
    server::Server,
    state::State,
    store::Store,
};
use ropeway_helper_api::{
    Capture, EPOCH, Grant, HelperCode, HelperError, ListenerPorts, Message, Plan, Ports, REVISION, Reply,
    Request, SessionId, limit,
    wire::{self, Received},
};
use tempfile::TempDir;

/// The kernel as the tests want it to be: what it holds, and how it takes the next changes.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Kernel>>);

#[derive(Default)]
struct Kernel {
    table: Option<Script>,
    next: VecDeque<FirewallError>,
}

impl Firewall for Fake {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        let mut kernel = self.0.lock().unwrap();
        let result = kernel.next.pop_front();
        if matches!(result, None | Some(FirewallError::Differs(_))) {
            kernel.table = Some(script.clone());
        }
        result.map_or(Ok(()), Err)
    }

    fn remove(&mut self, table: Table) -> Result<(), FirewallError> {
        if table == Table::Redirect {
            self.0.lock().unwrap().table = None;
        }
        Ok(())
    }
}

impl Fake {
    fn fail_next(&self, errors: impl IntoIterator<Item = FirewallError>) {
        self.0.lock().unwrap().next = errors.into_iter().collect();
    }

    /// The listeners that something is redirected to, in the order of the rules.
    fn listeners(&self) -> Vec<u16> {
        let text = self.0.lock().unwrap().table.as_ref().map(Script::to_string).unwrap_or_default();
        let ports = text.split("redirect to :").skip(1);
        ports.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
    }
}

struct Bench {
    kernel: Fake,
    state: Mutex<State<Fake>>,
    client: Client,
    folder: TempDir,
}

impl Bench {
    fn greeted() -> Self {
        let mut bench = Self::new();
        assert!(matches!(
            bench.say(hello()).reply,
            Reply::Hello { epoch: EPOCH, revision: REVISION, grant: Grant::All, .. }
        ));
        bench
    }

    fn new() -> Self {
        let kernel = Fake::default();
        let folder = tempfile::tempdir().unwrap();
        let state = Mutex::new(state(&kernel, folder.path()));
        Self { state, kernel, client: Client::new(ClientId(1), 1000), folder }
    }

    fn say(&mut self, request: Request) -> Answer {
        self.client.answer(&self.state, Received { message: request, fds: vec![] })
    }

    fn hand_over(&mut self, request: Request, fd: OwnedFd) -> Answer {
        self.client.answer(&self.state, Received { message: request, fds: vec![fd] })
    }
}

/// User 1000 may do everything, user 1001 has `own`.
fn state(kernel: &Fake, folder: &Path) -> State<Fake> {
    let store = Store::new(folder.join("state"));
    let mut grants = Grants::new(store.clone());
    grants.record(1000, Grant::All).unwrap();
    grants.record(1001, Grant::Own).unwrap();
    let rules = Rules::new(kernel.clone(), store.clone());
    State::new(rules, HostsFile::new(folder.join("hosts"), store), grants)
}

fn hello() -> Request {
    Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() }
}

fn load(session: u32, net: &str, port: u16) -> Request {
    Request::Load { session: SessionId(session), plan: plan(net, port) }
}

fn plan(net: &str, port: u16) -> Plan {
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
    }
}

fn code(answer: &Answer) -> Option<HelperCode> {
    match &answer.reply {
        Reply::Error(HelperError { code, .. }) => Some(*code),
        _ => None,
    }
}

fn is_loaded(answer: &Answer) -> bool {
    matches!(answer.reply, Reply::Loaded { .. })
}

fn a_pipe() -> OwnedFd {
    UnixStream::pair().unwrap().0.into()
}

#[test]
fn nothing_is_answered_before_hello() {
    for request in
        [load(1, "10.0.0.0/8", 2000), Request::Unload { session: SessionId(1) }, Request::MarkSocket]
    {
        let answer = Bench::new().say(request);
        assert_eq!((code(&answer), answer.close), (Some(HelperCode::Malformed), true));
    }
}

#[test]
fn another_epoch_is_told_so_and_another_revision_is_welcome() {
    let answer = Bench::new().say(Request::Hello { epoch: EPOCH + 1, revision: 0, version: String::new() });
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Version), true));
    let answer =
        Bench::new().say(Request::Hello { epoch: EPOCH, revision: REVISION + 1, version: String::new() });
    assert_eq!((code(&answer), answer.close), (None, false));
    let answer = Bench::greeted().say(hello());
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Malformed), true));
}

#[test]
fn sessions_come_change_in_their_place_and_go() {
    let mut bench = Bench::greeted();
    bench.say(load(1, "10.0.0.0/8", 2000));
    bench.say(load(2, "11.0.0.0/8", 3000));
    assert_eq!(bench.kernel.listeners(), [2000, 3000]);
    bench.say(load(1, "12.0.0.0/8", 4000));
    assert_eq!(bench.kernel.listeners(), [4000, 3000]);
    bench.say(Request::Unload { session: SessionId(1) });
    assert_eq!(bench.kernel.listeners(), [3000]);
    assert_eq!(bench.say(Request::Unload { session: SessionId(9) }).reply, Reply::Done);
    bench.say(Request::Unload { session: SessionId(2) });
    assert!(bench.kernel.0.lock().unwrap().table.is_none(), "the last one takes the table with it");
}

#[test]
fn clients_do_not_share_session_names() {
    let mut bench = Bench::greeted();
    let mut other = Client::new(ClientId(2), 1000);
    other.answer(&bench.state, Received { message: hello(), fds: vec![] });
    bench.say(load(1, "10.0.0.0/8", 2000));
    other.answer(&bench.state, Received { message: load(1, "11.0.0.0/8", 3000), fds: vec![] });
    assert_eq!(bench.kernel.listeners(), [2000, 3000]);
    bench.state.lock().unwrap().rules.unload_client(ClientId(1)).unwrap();
    assert_eq!(bench.kernel.listeners(), [3000]);
}

#[test]
fn what_the_kernel_refuses_changes_nothing() {
    let mut bench = Bench::greeted();
    bench.say(load(1, "10.0.0.0/8", 2000));
    for (error, expected) in
        [(FirewallError::Busy, HelperCode::Busy), (FirewallError::Refused("no".into()), HelperCode::Firewall)]
    {
        bench.kernel.fail_next([error]);
        let answer = bench.say(load(2, "11.0.0.0/8", 3000));
        assert_eq!((code(&answer), answer.close), (Some(expected), false));
        assert_eq!(bench.kernel.listeners(), [2000]);
    }
    bench.say(load(3, "12.0.0.0/8", 4000));
    assert_eq!(bench.kernel.listeners(), [2000, 4000], "the refused session is forgotten");
}

#[test]
fn a_table_that_reads_back_differently_gives_way_to_the_one_before() {
    let mut bench = Bench::greeted();
    bench.say(load(1, "10.0.0.0/8", 2000));
    bench.kernel.fail_next([FirewallError::Differs("x".into())]);
    let answer = bench.say(load(1, "11.0.0.0/8", 3000));
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Firewall), false));
    assert_eq!(bench.kernel.listeners(), [2000]);
}

/// The client would go on believing in its older sessions, so it has to see the end of the connection.
#[test]
fn when_not_even_the_one_before_loads_nothing_is_left_and_the_connection_ends() {
    let mut bench = Bench::greeted();
    bench.say(load(1, "10.0.0.0/8", 2000));
    bench.kernel.fail_next([FirewallError::Differs("x".into()), FirewallError::Differs("x".into())]);
    let answer = bench.say(load(2, "11.0.0.0/8", 3000));
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Firewall), true));
    assert!(bench.kernel.0.lock().unwrap().table.is_none());
}

#[test]
fn a_bad_plan_is_named_and_the_connection_goes_on() {
    let mut bench = Bench::greeted();
    let mut bad = plan("10.0.0.0/8", 2000);
    bad.listeners.v4 = Some(Ports { first: 80, last: 80 });
    let answer = bench.say(Request::Load { session: SessionId(1), plan: bad });
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Plan), false));
    assert!(bench.kernel.0.lock().unwrap().table.is_none());
}

#[test]
fn sessions_are_limited_and_replacing_one_is_not_counted() {
    let mut bench = Bench::greeted();
    let limit = limit::SESSIONS as u32;
    for session in 0..limit {
        assert!(is_loaded(&bench.say(load(session, "10.0.0.0/8", 2000))));
    }
    assert_eq!(code(&bench.say(load(limit, "10.0.0.0/8", 2000))), Some(HelperCode::Limit));
    assert!(is_loaded(&bench.say(load(0, "10.0.0.0/8", 2000))));
}

#[test]
fn descriptors_must_be_the_promised_ones() {
    let mut bench = Bench::greeted();
    let with_cgroup = Request::Load {
        session: SessionId(1),
        plan: Plan { direct_cgroup: true, ..plan("10.0.0.0/8", 2000) },
    };
    for answer in [
        bench.say(with_cgroup.clone()),
        bench.hand_over(with_cgroup, a_pipe()),
        bench.hand_over(load(1, "10.0.0.0/8", 2000), a_pipe()),
        bench.say(Request::MarkSocket),
        bench.hand_over(Request::MarkSocket, a_pipe()),
    ] {
        assert_eq!((code(&answer), answer.close), (Some(HelperCode::Descriptor), false));
    }
    assert!(bench.kernel.0.lock().unwrap().table.is_none());
}

/// Serves a connection on which the client has said `bytes` and left. Returns the replies; behind them the kernel
/// reports a reset when the server has left bytes unread.
fn served(bytes: &[u8], kernel: &Fake) -> Vec<Reply> {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.write_all(bytes).unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let folder = tempfile::tempdir().unwrap();
    Server::new(state(kernel, folder.path())).serve(far, 1000).unwrap();
    std::iter::from_fn(|| match wire::receive(&near) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
        other => other.unwrap(),
    })
    .map(|received| match received.message {
        Message::Reply { reply } => reply,
        Message::Notice { notice } => panic!("{notice:?}"),
    })
    .collect()
}

fn frame(request: &Request) -> Vec<u8> {
    let body = serde_json::to_vec(request).unwrap();
    [&(body.len() as u32).to_be_bytes(), &body[..]].concat()
}

fn conversation() -> Vec<u8> {
    let requests = [
        hello(),
        load(1, "10.0.0.0/8", 2000),
        load(2, "11.0.0.0/8", 3000),
        Request::Unload { session: SessionId(1) },
    ];
    requests.iter().flat_map(frame).collect()
}

#[test]
fn the_end_of_the_connection_undoes_everything() {
    let kernel = Fake::default();
    let replies = served(&conversation(), &kernel);
    assert_eq!(replies.len(), 4);
    assert!(kernel.0.lock().unwrap().table.is_none());
}

#[test]
fn garbage_is_answered_and_ends_the_connection() {
    let kernel = Fake::default();
    let mut bytes = [frame(&hello()), frame(&load(1, "10.0.0.0/8", 2000))].concat();
    bytes.extend([0, 0, 0, 2]);
    bytes.extend(b"!!");
    bytes.extend(frame(&Request::MarkSocket)); // not read any more
    let replies = served(&bytes, &kernel);
    assert_eq!(replies.len(), 3);
    assert!(matches!(&replies[2], Reply::Error(HelperError { code: HelperCode::Malformed, .. })));
    assert!(kernel.0.lock().unwrap().table.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_leave_nothing_behind(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let kernel = Fake::default();
        served(&bytes, &kernel);
        prop_assert!(kernel.0.lock().unwrap().table.is_none());
    }

    /// Bytes changed, left out or doubled somewhere in an honest conversation.
    #[test]
    fn a_damaged_conversation_leaves_nothing_behind(
        damages in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = conversation();
        for (place, value, kind) in damages {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = value,
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, value),
            }
        }
        let kernel = Fake::default();
        served(&bytes, &kernel);
        prop_assert!(kernel.0.lock().unwrap().table.is_none());
    }

    /// Well-formed text with hostile values: what the parser lets through.
    #[test]
    fn any_plan_is_answered(
        nets in prop::collection::vec((any::<u32>(), 0..=32u8, any::<u16>(), any::<u16>()), 0..8),
        listener in any::<(u16, u16)>(),
        direct_cgroup in any::<bool>(),
    ) {
        let routes = nets.into_iter().map(|(address, length, first, last)| ropeway_helper_api::Route {
            net: ipnet::Ipv4Net::new(address.into(), length).unwrap().into(),
            ports: Ports { first, last },
        });
        let include: Vec<_> = routes.collect();
        let listeners = ListenerPorts { v4: Some(Ports { first: listener.0, last: listener.1 }), v6: None };
        let plan = Plan { exclude: include.clone(), include, listeners, direct_cgroup, ..plan("10.0.0.0/8", 2000) };
        let valid = plan.validate().is_ok() && !direct_cgroup;
        let answer = Bench::greeted().say(Request::Load { session: SessionId(1), plan });
        prop_assert_eq!(is_loaded(&answer), valid);
    }
}
