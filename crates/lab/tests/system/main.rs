//! The helper as a service of a real system: systemd, the system bus and polkit boot in namespaces of their own, and
//! ordinary users call it. Tests need root, and are skipped with a line that says so elsewhere.
//!
//! `consent`: who is asked what, and who may. `service`: its life under systemd. `activation`: the bus alone.
//! `leftovers`: what stays closed on purpose. `removal`: from the app's set-up to nothing. `cli`: the same by hand. `unit`,
//! `size`: its files.

mod activation;
mod cli;
mod consent;
mod leftovers;
mod removal;
mod service;
mod size;
mod unit;

use std::time::Duration;

use ropeway_helper_api::{
    Capture, EPOCH, Grant, ListenerPorts, Method, Plan, Ports, REVISION, Reject, Reply, Request, SessionId,
    bus,
};
use ropeway_lab::{
    harness::wait_until,
    system::{Answer, Caller, Order, Reached, System, Terminal, User, neighbours},
};

/// More than anything small takes, also while other tests compile and run.
const SOON: Duration = Duration::from_secs(20);

/// A computer with the helper as the app's set-up leaves it, and no grants.
fn installed(test: &str) -> Option<System> {
    let system = System::boot(test)?;
    system.install_helper().expect("it installs");
    Some(system)
}

/// One with a grant for everything, a connection, and the neighbour captured for everybody.
fn tunnel(system: &System) -> Caller {
    let mut caller = Caller::new(system, User::YES);
    assert_eq!(caller.does(&Order::SetUp(Grant::All)), Answer::Done);
    connect(&mut caller);
    load(&mut caller, User::YES, Grant::All);
    assert!(is_captured(&mut caller));
    caller
}

#[track_caller]
fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_until(SOON, condition), "{what}: not within {SOON:?}");
}

/// A terminal in which polkit asks that person when that process wants something.
fn agent_for(system: &System, person: User, process: u32) -> Terminal {
    let mut agent = system.command_of(person, "sh");
    // it closes that descriptor when polkit knows it
    let line =
        format!("pkttyagent --process {process} --notify-fd 3 3>&1 >/dev/tty | {{ cat; echo ready; }}");
    let agent = Terminal::start(agent.args(["-c", &line])).expect("pkttyagent runs");
    agent.wait_for("ready").expect("polkit knows it");
    agent
}

/// Opens a connection and greets.
#[track_caller]
fn connect(caller: &mut Caller) -> Reply {
    assert_eq!(caller.does(&Order::Open), Answer::Done);
    ask(caller, Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() })
}

/// The same where the helper may be about to end.
fn is_greeted(caller: &mut Caller) -> bool {
    let hello = Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() };
    caller.does(&Order::Open) == Answer::Done
        && matches!(caller.does(&Order::Ask(hello)), Answer::Reply(Reply::Hello { .. }))
}

#[track_caller]
fn ask(caller: &mut Caller, request: Request) -> Reply {
    match caller.does(&Order::Ask(request)) {
        Answer::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// Has the neighbour's networks captured, as far as the grant goes.
#[track_caller]
fn load(caller: &mut Caller, user: User, grant: Grant) {
    let Answer::Port(port) = caller.does(&Order::Listen) else { panic!("no listener") };
    let capture = match grant {
        Grant::Own => Capture::User { uid: user.uid },
        Grant::All => Capture::Everyone,
    };
    let plan = plan(port, capture);
    let reply = ask(caller, Request::Load { session: SessionId(1), plan });
    assert_eq!(reply, Reply::Loaded { method: Method::Nft, overlaps: vec![] });
}

fn plan(port: u16, capture: Capture) -> Plan {
    let port = Some(Ports { first: port, last: port });
    let net = |net: &str| net.parse::<ipnet::IpNet>().expect("a network").into();
    Plan {
        include: vec![net("10.20.0.0/16"), net("fd20::/48")],
        exclude: vec![],
        listeners: ListenerPorts { v4: port, v6: port },
        capture,
        endpoints: vec![],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
        reject: Reject::default(),
        meter: false,
    }
}

/// Whether connections of this program to the neighbour arrive at a listener, or at the neighbour.
#[track_caller]
fn is_captured(caller: &mut Caller) -> bool {
    let reached = reach(caller);
    assert_ne!(reached, Reached::Refused, "nothing is closed");
    reached == Reached::Captured
}

/// Where connections of this program to the neighbour go, over both families alike.
#[track_caller]
fn reach(caller: &mut Caller) -> Reached {
    let both = neighbours().map(|neighbour| caller.does(&Order::Reach(neighbour)));
    match &both {
        [Answer::Reached(v4), Answer::Reached(v6)] if v4 == v6 => *v4,
        _ => panic!("{both:?}"),
    }
}

fn failed(error: &str) -> Answer {
    Answer::Failed(error.into())
}

/// What calls of a user without a grant come to.
fn not_granted() -> Answer {
    failed(bus::ERROR_NOT_GRANTED)
}
