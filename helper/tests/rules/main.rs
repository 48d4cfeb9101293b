//! The pure part: plans in, table out. Golden files show what it looks like; a naive model says what it must mean.
#![allow(clippy::unwrap_used)]

mod golden;
mod lists;
mod model;
mod plans;
mod simulate;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use plans::{block, captured_by, route, session, with_names};
use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use ropeway_helper::rules::{
    Cgroup, SessionBlock, SessionPlan, TooManyPieces,
    flatten::{MAX_PIECES, Target, flatten},
    render, render_blocks,
    script::{Elements, Hook},
};
use ropeway_helper_api::{Block, Capture, DIRECT_MARK, Dns, Grant, Plan, Ports, Reject, Route};
use simulate::{Outcome, Packet, Protocol, at, packet, question, sent};

#[test]
fn the_narrower_ports_win_over_the_longer_prefix() {
    let plan = session(&["10.0.0.0/8 80"], &["10.1.1.0/24"], 12300);
    let script = render(&[&plan]).unwrap();
    assert_eq!(sent(&script, &packet("10.1.1.1", 80)), Outcome::Redirected(12300));
    assert_eq!(sent(&script, &packet("10.1.1.1", 81)), Outcome::Passes);
}

#[test]
fn equal_routes_stay_with_the_session_that_came_first_and_an_exclusion_beats_both() {
    let (first, second) =
        (session(&["10.0.0.0/8"], &[], 12300), session(&["10.0.0.0/8", "11.0.0.0/8"], &[], 12310));
    let script = render(&[&first, &second]).unwrap();
    assert_eq!(sent(&script, &packet("10.1.1.1", 80)), Outcome::Redirected(12300));
    assert_eq!(sent(&script, &packet("11.1.1.1", 80)), Outcome::Redirected(12310));
    let third = session(&[], &["10.0.0.0/8"], 12320);
    let script = render(&[&first, &second, &third]).unwrap();
    assert_eq!(sent(&script, &packet("10.1.1.1", 80)), Outcome::Passes);
}

#[test]
fn overlapping_ranges_of_one_width_are_cut() {
    let routes =
        [(route("10.0.0.0/8 10-19"), Target::Session(0)), (route("10.0.0.0/16 15-24"), Target::Direct)];
    let layers = flatten(routes, &mut 100);
    let ports: Vec<_> = layers.unwrap().iter().map(|layer| (layer.ports.first, layer.ports.last)).collect();
    assert_eq!(ports, [(10, 14), (15, 19), (20, 24)]);
}

/// The second range is cut to port 19, which the first one is already: two sets, two names.
#[test]
fn a_cut_range_may_equal_a_narrower_one() {
    let plan = session(&["10.0.0.0/16 19", "10.0.0.0/8 18-19"], &["10.2.0.0/16 17-18"], 12300);
    let script = render(&[&plan]).unwrap();
    for (address, port, expected) in [("10.0.0.1", 19, true), ("10.2.0.1", 19, true), ("10.2.0.1", 18, false)]
    {
        let captured = sent(&script, &packet(address, port)) != Outcome::Passes;
        assert_eq!(captured, expected, "{address} {port}\n{script}");
    }
}

/// Of the two servers' names one was made so that FNV, which named the sets, gave both the same.
#[test]
fn two_users_servers_are_never_taken_for_each_other() {
    let of = |uid, server: &str| {
        let mut plan = session(&["::/0"], &[], 12300 + 10 * (uid as u16 - 1000));
        (plan.uid, plan.grant, plan.plan.capture) = (uid, Grant::Own, Capture::User { uid });
        plan.plan.endpoints = vec![server.parse().unwrap()];
        plan
    };
    let plans = [of(1000, "[2001:470::1ba9:6eed:4c6e:394b]:443"), of(1001, "[2001:db8::1]:2222")];
    let script = render(&[&plans[0], &plans[1]]).unwrap();
    let to = |address, port| sent(&script, &Packet { uid: 1001, ..packet(address, port) });
    assert_eq!(to("2001:db8::1", 2222), Outcome::Passes);
    assert_eq!(to("2001:470::1ba9:6eed:4c6e:394b", 443), Outcome::Redirected(12310));
}

#[test]
fn what_would_fill_the_kernel_is_refused() {
    let staggered = (0..200u16).flat_map(|first| {
        (0..200u32).map(move |host| {
            let net = IpNet::new(Ipv4Addr::from(host << 8).into(), 32).unwrap();
            (Route { net, ports: Ports { first, last: first + 1000 } }, Target::Session(0))
        })
    });
    assert_eq!(flatten(staggered, &mut MAX_PIECES.clone()), Err(TooManyPieces));
}

/// The limit is the table's: users' own scopes do not each have one.
#[test]
fn what_fits_alone_may_not_fit_together() {
    let of = |uid: u32| {
        let mut plan = session(&[], &[], 12300);
        plan.plan.capture = Capture::User { uid };
        plan.plan.include =
            (0..100_000u32).map(|i| IpNet::new(Ipv4Addr::from(i << 12).into(), 24).unwrap().into()).collect();
        plan
    };
    let plans = [of(1), of(2), of(3)];
    assert!(render(&[&plans[0]]).is_ok() && render(&[&plans[0], &plans[1]]).is_ok());
    assert_eq!(render(&[&plans[0], &plans[1], &plans[2]]), Err(TooManyPieces));
}

#[test]
fn fifty_thousand_prefixes_take_well_under_a_second() {
    let mut plan = session(&[], &[], 12300);
    plan.plan.include =
        (0..50_000u32).map(|i| IpNet::new(Ipv4Addr::from(i << 14).into(), 20).unwrap().into()).collect();
    plan.plan.exclude =
        (0..50_000u32).map(|i| IpNet::new(Ipv4Addr::from(i << 14).into(), 24).unwrap().into()).collect();
    let start = Instant::now();
    let script = render(&[&plan]).unwrap();
    let took = start.elapsed();
    println!("100 000 routes rendered in {took:.0?}");
    assert_eq!(script.sets[0].len(), 50_000);
    assert!(took < Duration::from_secs(5), "{took:?}"); // a debug build on a busy machine; measured 0.1 s
}

/// systemd's stub, and everybody else's; but not the ports beside it.
#[test]
fn names_are_asked_for_on_this_machine_too() {
    let all = with_names(session(&["10.0.0.0/8"], &[], 12300), &[], 12353);
    let script = render(&[&all]).unwrap();
    let local = |packet| Packet { local: true, ..packet };
    for to in ["127.0.0.53", "::1"] {
        assert_eq!(sent(&script, &local(question(to))), Outcome::Redirected(12353));
        assert_eq!(sent(&script, &local(packet(to, 53))), Outcome::Redirected(12300));
        assert_eq!(sent(&script, &local(packet(to, 54))), Outcome::Passes);
    }
    assert_eq!(sent(&script, &local(packet("10.0.0.1", 80))), Outcome::Passes);
    assert_eq!(sent(&script, &Packet { mark: DIRECT_MARK, ..question("9.9.9.9") }), Outcome::Passes);
}

#[test]
fn of_sessions_that_want_names_the_one_with_the_server_is_asked() {
    let all = with_names(session(&[], &[], 12300), &[], 12353);
    let one = with_names(session(&[], &[], 12310), &["10.0.0.1", "fd00::1"], 12363);
    let script = render(&[&all, &one]).unwrap();
    assert_eq!(sent(&script, &question("10.0.0.1")), Outcome::Redirected(12363));
    assert_eq!(sent(&script, &question("fd00::1")), Outcome::Redirected(12363));
    assert_eq!(sent(&script, &question("10.0.0.2")), Outcome::Redirected(12353));
}

#[test]
fn what_is_forwarded_is_captured_where_the_plan_says() {
    let mut router = session(&["10.0.0.0/8"], &["10.1.0.0/16"], 12300);
    router.plan.forwarded = vec![5, 7];
    router.plan.endpoints = vec!["10.9.9.9:22".parse().unwrap()];
    let script = render(&[&session(&["0.0.0.0/0"], &[], 12310), &router]).unwrap();
    let came_in = |interface, packet| at(&script, Hook::NatPrerouting, &Packet { interface, ..packet });
    assert_eq!(came_in(5, packet("10.2.0.1", 80)), Outcome::Redirected(12300));
    assert_eq!(came_in(7, packet("10.2.0.1", 80)), Outcome::Redirected(12300));
    assert_eq!(came_in(6, packet("10.2.0.1", 80)), Outcome::Passes, "another interface");
    assert_eq!(came_in(5, packet("10.1.0.1", 80)), Outcome::Passes, "excluded");
    assert_eq!(came_in(5, packet("11.0.0.1", 80)), Outcome::Passes, "the other session is not for others");
    assert_eq!(came_in(5, packet("10.9.9.9", 22)), Outcome::Passes, "the server");
    assert_eq!(came_in(5, question("10.2.0.1")), Outcome::Passes, "TCP only");
    assert_eq!(came_in(5, Packet { local: true, ..packet("10.2.0.1", 80) }), Outcome::Passes);
    let direct =
        |interface| at(&script, Hook::FilterInput, &Packet { interface, ..packet("10.2.0.1", 12300) });
    assert_eq!((direct(5), direct(1)), (Outcome::Reset, Outcome::Passes), "no open proxy");
}

/// A browser that is refused one way tries the other: IPv4, TCP, a question in clear.
#[test]
fn what_a_tunnel_cannot_carry_is_refused_to_those_who_are_captured() {
    let mut plan =
        with_names(session(&["0.0.0.0/0"], &["10.1.0.0/16", "fd00::/16"], 12300), &["9.9.9.9"], 12353);
    plan.plan.capture = Capture::User { uid: 1000 };
    plan.plan.reject = Reject { networks: vec![route("::/0")], quic: true, dns_over_tls: true };
    let script = render(&[&plan]).unwrap();
    let udp = |address, port| Packet { protocol: Protocol::Udp, ..packet(address, port) };
    for (packet, expected) in [
        (packet("2001:db8::1", 80), Outcome::Reset),
        (udp("2001:db8::1", 80), Outcome::Prohibited),
        (packet("fd00::1", 80), Outcome::Passes),
        (udp("192.0.2.1", 443), Outcome::Prohibited),
        (udp("192.0.2.1", 80), Outcome::Passes),
        (udp("10.1.0.1", 443), Outcome::Passes),
        (packet("9.9.9.9", 853), Outcome::Reset),
        (packet("9.9.9.10", 853), Outcome::Redirected(12300)),
        (udp("9.9.9.9", 853), Outcome::Passes),
        (udp("ff02::fb", 5353), Outcome::Passes),
        (packet("fe80::1", 631), Outcome::Passes),
        (packet("febf::1", 631), Outcome::Passes),
        (packet("fec0::1", 631), Outcome::Reset),
    ] {
        assert_eq!(sent(&script, &packet), expected, "{packet:?}\n{script}");
        assert_eq!(sent(&script, &Packet { uid: 1001, ..packet }), Outcome::Passes, "others");
        for exempt in [Packet { mark: DIRECT_MARK, ..packet }, Packet { known: true, ..packet }] {
            assert_eq!(sent(&script, &exempt), Outcome::Passes, "{exempt:?}");
        }
    }
}

/// What one session refuses another may carry, whatever its scope.
#[test]
fn what_is_captured_is_not_refused() {
    let mut four = session(&["0.0.0.0/0"], &[], 12300);
    four.plan.reject.networks = vec![route("::/0")];
    let script = render(&[&four, &session(&["fd00::/8"], &[], 12310)]).unwrap();
    assert_eq!(sent(&script, &packet("fd00::1", 80)), Outcome::Redirected(12310));
    assert_eq!(sent(&script, &packet("2001:db8::1", 80)), Outcome::Reset);
}

#[test]
fn what_others_send_around_is_refused_and_counted_too() {
    let mut router = with_names(session(&["10.0.0.0/8"], &["10.1.0.0/16"], 12300), &[], 12353);
    router.plan.forwarded = vec![5];
    router.plan.reject = Reject { networks: vec![route("::/0")], quic: true, dns_over_tls: true };
    router.meter = Some(7);
    let script = render(&[&router]).unwrap();
    let udp = |address, port| Packet { protocol: Protocol::Udp, ..packet(address, port) };
    for (packet, expected) in [
        (packet("fd00::1", 80), Outcome::Reset),
        (udp("10.2.0.1", 443), Outcome::Prohibited),
        (udp("10.2.0.1", 80), Outcome::Counted(7)),
        (udp("10.1.0.1", 80), Outcome::Passes),
        (packet("192.0.2.1", 853), Outcome::Passes), // nobody captures their questions
        (Packet { reply: true, ..packet("fd00::1", 80) }, Outcome::Passes),
    ] {
        let came_in = |interface| at(&script, Hook::Forward, &Packet { interface, ..packet });
        assert_eq!((came_in(5), came_in(6)), (expected, Outcome::Passes), "{packet:?}\n{script}");
    }
}

#[test]
fn only_the_owner_is_meant_by_an_own_grant() {
    let mut own = captured_by(session(&["10.0.0.0/8"], &[], 12300), Capture::Everyone, None);
    own.grant = Grant::Own;
    own.plan.endpoints = vec!["11.0.0.1:22".parse().unwrap()];
    let all = session(&["0.0.0.0/0"], &[], 12310);
    let script = render(&[&all, &own]).unwrap();
    let of = |uid, packet| sent(&script, &Packet { uid, ..packet });
    assert_eq!(of(1000, packet("10.0.0.1", 80)), Outcome::Redirected(12300));
    assert_eq!(of(1001, packet("10.0.0.1", 80)), Outcome::Redirected(12310));
    assert_eq!(of(1000, packet("11.0.0.1", 22)), Outcome::Passes);
    assert_eq!(of(1001, packet("11.0.0.1", 22)), Outcome::Redirected(12310));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    /// The whole way, from plans to what the rules do to a packet, against the sentence in the documentation.
    #[test]
    fn the_table_does_what_the_plans_say(
        sessions in prop::collection::vec(session_plan(), 1..4),
        packets in prop::collection::vec(any_packet(), 20),
        edges in prop::collection::vec((any::<Index>(), any::<Index>(), -1..=1i8), 40),
    ) {
        let sessions: Vec<&SessionPlan> = sessions.iter().collect();
        let script = render(&sessions).unwrap();
        let routes: Vec<Route> = sessions.iter().flat_map(|s| s.plan.include.iter().chain(&s.plan.exclude)).copied().collect();
        let edges = edges.into_iter().filter_map(|(which, template, step)| at_an_edge(&routes, which, template.get(&packets), step));
        for packet in packets.iter().copied().chain(edges) {
            prop_assert_eq!(sent(&script, &packet), model::redirected(&sessions, &packet), "{:?}\n{}", packet, script);
        }
    }

    #[test]
    fn what_is_kept_closed_is_what_the_blocks_say(
        blocks in prop::collection::vec(session_block(), 1..4),
        packets in prop::collection::vec(any_packet(), 20),
        edges in prop::collection::vec((any::<Index>(), any::<Index>(), -1..=1i8), 40),
    ) {
        let blocks: Vec<&SessionBlock> = blocks.iter().collect();
        let script = render_blocks(&blocks).unwrap();
        let routes: Vec<Route> = blocks.iter().flat_map(|b| b.block.include.iter().chain(&b.block.exclude)).copied().collect();
        let edges = edges.into_iter().filter_map(|(which, template, step)| at_an_edge(&routes, which, template.get(&packets), step));
        for packet in packets.iter().copied().chain(edges) {
            prop_assert_eq!(sent(&script, &packet), model::closed(&blocks, &packet), "{:?}\n{}", packet, script);
        }
    }

    #[test]
    fn sets_are_ascending_disjoint_and_joined(sessions in prop::collection::vec(session_plan(), 1..4)) {
        let script = render(&sessions.iter().collect::<Vec<_>>()).unwrap();
        for set in &script.sets {
            let Elements::Ranges(ranges) = &set.elements else { continue };
            prop_assert!(!ranges.is_empty());
            prop_assert!(ranges.iter().all(|(first, last)| first <= last));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}

/// Addresses and ports from a small world, so that everything overlaps.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u8>().prop_map(|low| Ipv4Addr::new(10, 0, 0, low).into()),
        any::<u32>().prop_map(|any| Ipv4Addr::from(any).into()),
        any::<u8>().prop_map(|low| Ipv6Addr::from((0xfd << 120) | u128::from(low)).into()),
        any::<u128>().prop_map(|any| Ipv6Addr::from(any).into()),
        any::<u8>().prop_map(|low| Ipv6Addr::from((0xfe80 << 112) | u128::from(low)).into()),
    ]
}

fn any_route() -> impl Strategy<Value = Route> {
    let ports = prop_oneof![
        3 => Just((0, u16::MAX)),
        3 => (0..20u16, 0..4u16).prop_map(|(first, width)| (first, first + width)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b))),
    ];
    (address(), 0..=32u8, any::<bool>(), ports).prop_map(|(address, length, long, (first, last))| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = if long { longest - length / 4 } else { length };
        Route { net: IpNet::new(address, length).unwrap().trunc(), ports: Ports { first, last } }
    })
}

/// Two users, two groups, two cgroups of different depth.
fn any_capture() -> impl Strategy<Value = (Capture, Option<Cgroup>)> {
    prop_oneof![
        Just((Capture::Everyone, None)),
        (1000..1002u32).prop_map(|uid| (Capture::User { uid }, None)),
        (100..102u32).prop_map(|gid| (Capture::Group { gid }, None)),
        any_cgroup().prop_map(|cgroup| (Capture::Cgroup, Some(cgroup))),
    ]
}

fn any_cgroup() -> impl Strategy<Value = Cgroup> {
    (1..3u32).prop_map(|number| Cgroup { level: number, id: number.into() })
}

fn any_grant() -> impl Strategy<Value = (u32, Grant)> {
    (1000..1002u32, prop_oneof![Just(Grant::Own), Just(Grant::All)])
}

fn any_names() -> impl Strategy<Value = Option<Dns>> {
    let port = || prop::option::of(1024..60_000u16);
    prop::option::of(
        (prop::collection::vec(address(), 0..3), port(), port()).prop_map(|(servers, v4, v6)| Dns {
            servers,
            v4,
            v6,
            resolver: None,
        }),
    )
}

fn any_reject() -> impl Strategy<Value = Reject> {
    let networks = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(any_route(), 0..6)];
    (networks, any::<bool>(), any::<bool>()).prop_map(|(networks, quic, dns_over_tls)| Reject {
        networks,
        quic,
        dns_over_tls,
    })
}

fn session_plan() -> impl Strategy<Value = SessionPlan> {
    let routes = || prop::collection::vec(any_route(), 0..12);
    let endpoints = prop::collection::vec((address(), 0..20u16).prop_map(Into::into), 0..3);
    let who = (any_capture(), any_grant(), prop::option::of(any_cgroup()));
    let names = (any_names(), any_reject(), prop::option::of(1..4u64));
    (routes(), routes(), endpoints, who, names, 1024..60_000u16).prop_map(
        |(
            include,
            exclude,
            endpoints,
            ((capture, captured_cgroup), (uid, grant), direct_cgroup),
            (dns, reject, meter),
            port,
        )| {
            let session = session(&[], &[], port);
            let plan = Plan { include, exclude, endpoints, capture, dns, reject, ..session.plan };
            plan.validate().unwrap();
            SessionPlan { plan, uid, grant, direct_cgroup, captured_cgroup, meter }
        },
    )
}

fn session_block() -> impl Strategy<Value = SessionBlock> {
    let routes = || prop::collection::vec(any_route(), 0..12);
    let endpoints = prop::collection::vec((address(), 0..20u16).prop_map(Into::into), 0..3);
    let capture = any_capture().prop_filter("no cgroups", |(capture, _)| *capture != Capture::Cgroup);
    let who = (capture, any_grant(), prop::option::of(any_cgroup()));
    (routes(), routes(), endpoints, who, any::<bool>()).prop_map(
        |(include, exclude, endpoints, ((capture, _), (uid, grant), direct_cgroup), dns)| {
            let block = Block { include, exclude, endpoints, capture, dns, ..block(uid, 1, &[], &[]).block };
            block.validate().unwrap();
            SessionBlock { block, uid, grant, direct_cgroup }
        },
    )
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let mark = prop_oneof![9 => Just(0), 1 => Just(DIRECT_MARK)];
    let protocol =
        prop_oneof![4 => Just(Protocol::Tcp), 2 => Just(Protocol::Udp), 1 => Just(Protocol::Icmpv6)];
    let port = prop_oneof![0..25u16, Just(53), Just(443), Just(853), 130..144u16, any::<u16>()];
    let rare = || prop::bool::weighted(0.1);
    let state = (rare(), rare(), rare());
    (address(), port, protocol, 1000..1003u32, 100..103u32, any_cgroup(), mark, state).prop_map(
        |(address, port, protocol, uid, gid, cgroup, mark, (local, known, reply))| {
            let interface = 0;
            Packet { address, port, protocol, uid, gid, cgroup, mark, interface, local, known, reply }
        },
    )
}

/// One beside or at the first or last address of a route: where mistakes live.
fn at_an_edge(routes: &[Route], which: Index, template: &Packet, step: i8) -> Option<Packet> {
    let edges: Vec<IpAddr> =
        routes.iter().flat_map(|route| [route.net.network(), route.net.broadcast()]).collect();
    let address = match *edges.get(which.index(edges.len().max(1)))? {
        IpAddr::V4(edge) => Ipv4Addr::from(u32::from(edge).wrapping_add_signed(step.into())).into(),
        IpAddr::V6(edge) => Ipv6Addr::from(u128::from(edge).wrapping_add_signed(step.into())).into(),
    };
    Some(Packet { address, ..*template })
}
