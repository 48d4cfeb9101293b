//! What a client may say, honest or not, with the kernel's part played by a fake.
#![allow(clippy::unwrap_used)]

mod grants;
#[cfg(target_os = "linux")]
mod peers;
mod world;

use std::{
    io::{self, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use ropeway_helper::{
    client::Client,
    rules::{ClientId, FirewallError},
    server::Server,
};
use ropeway_helper_api::{
    EPOCH, HelperCode, HelperError, ListenerPorts, Message, Plan, Ports, REVISION, Reply, Request, SessionId,
    limit,
    wire::{self, Received},
};

use self::world::{ALICE, Bench, Fake, a_pipe, code, hello, is_loaded, load, plan, state};

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
    let mut other = Client::new(ClientId(2), ALICE);
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
    Server::new(state(kernel, folder.path())).serve(far, ALICE).unwrap();
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
