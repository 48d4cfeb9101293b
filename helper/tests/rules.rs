//! The pure part: plans in, table out. Golden files show what it looks like; a naive model says what it must mean.
#![allow(clippy::unwrap_used)]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use ropeway_helper::rules::{
    SessionPlan, TooManyPieces,
    flatten::{Family, MAX_PIECES, Target, flatten},
    render,
    script::{Cgroup, Chain, Elements, Match, Script, Verdict},
};
use ropeway_helper_api::{Capture, DIRECT_MARK, ListenerPorts, Plan, Ports, Route};

fn session(include: &[&str], exclude: &[&str], port: u16) -> SessionPlan {
    let listener = Some(Ports { first: port, last: port + 7 });
    let plan = Plan {
        include: include.iter().map(|text| route(text)).collect(),
        exclude: exclude.iter().map(|text| route(text)).collect(),
        listeners: ListenerPorts { v4: listener, v6: listener },
        capture: Capture::Everyone,
        endpoints: vec![],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
    };
    plan.validate().unwrap();
    SessionPlan { plan, direct_cgroup: None }
}

/// `NET`, `NET PORT` or `NET FIRST-LAST`.
fn route(text: &str) -> Route {
    let (net, ports) = text.split_once(' ').unwrap_or((text, "0-65535"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    Route {
        net: net.parse().unwrap(),
        ports: Ports { first: first.parse().unwrap(), last: last.parse().unwrap() },
    }
}

mod golden {
    use super::*;

    /// Compares with `tests/golden/NAME.nft`, or writes it when `UPDATE_GOLDEN` is set.
    fn check(name: &str, sessions: &[&SessionPlan]) {
        let path = format!("{}/tests/golden/{name}.nft", env!("CARGO_MANIFEST_DIR"));
        let text = render(sessions).unwrap().to_string();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == expected, "{path} differs; look at it, then set UPDATE_GOLDEN=1\n{text}");
    }

    #[test]
    fn both_families() {
        check("both-families", &[&session(&["10.0.0.0/8", "192.168.7.0/24", "fd00:1::/32"], &[], 12300)]);
    }

    #[test]
    fn excludes() {
        let exclude = ["10.1.0.0/16", "10.0.0.0/32", "10.255.255.255/32", "fd00:1:2::/48"];
        check("excludes", &[&session(&["10.0.0.0/8", "10.1.2.0/24", "fd00:1::/32"], &exclude, 12300)]);
    }

    #[test]
    fn ports() {
        let include = ["10.0.0.0/8 443", "10.0.0.0/8 8000-8100", "10.9.0.0/16", "fd00:1::/32 80"];
        check("ports", &[&session(&include, &["10.0.0.0/16 443", "10.9.9.0/24"], 12300)]);
    }

    #[test]
    fn two_sessions() {
        let mut first = session(&["10.0.0.0/8", "172.16.0.0/12"], &[], 12300);
        first.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap(), "[2001:db8::1%7]:2222".parse().unwrap()];
        first.direct_cgroup = Some(Cgroup { level: 5, id: 4711 });
        let mut second = session(&["10.2.0.0/16", "172.16.0.0/12"], &["10.2.3.0/24"], 12310);
        second.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap(), "192.0.2.2:443".parse().unwrap()];
        second.direct_cgroup = first.direct_cgroup;
        check("two-sessions", &[&first, &second]);
    }

    #[test]
    fn everything() {
        check("everything", &[&session(&["0.0.0.0/0", "::/0"], &["192.168.0.0/16", "fe80::/10"], 12300)]);
    }

    #[test]
    fn users_before_everyone() {
        let mut user = session(&["10.0.0.0/8"], &[], 12310);
        user.plan.capture = Capture::User { uid: 1000 };
        user.plan.listeners.v4 = Some(Ports { first: 12310, last: 12310 });
        check("users-before-everyone", &[&session(&["0.0.0.0/0"], &[], 12300), &user]);
    }
}

#[test]
fn the_narrower_ports_win_over_the_longer_prefix() {
    let plan = session(&["10.0.0.0/8 80"], &["10.1.1.0/24"], 12300);
    let script = render(&[&plan]).unwrap();
    assert_eq!(decide(&script, &packet("10.1.1.1", 80)), Some(12300));
    assert_eq!(decide(&script, &packet("10.1.1.1", 81)), None);
}

#[test]
fn equal_routes_stay_with_the_session_that_came_first_and_an_exclusion_beats_both() {
    let (first, second) =
        (session(&["10.0.0.0/8"], &[], 12300), session(&["10.0.0.0/8", "11.0.0.0/8"], &[], 12310));
    let script = render(&[&first, &second]).unwrap();
    assert_eq!(decide(&script, &packet("10.1.1.1", 80)), Some(12300));
    assert_eq!(decide(&script, &packet("11.1.1.1", 80)), Some(12310));
    let third = session(&[], &["10.0.0.0/8"], 12320);
    assert_eq!(decide(&render(&[&first, &second, &third]).unwrap(), &packet("10.1.1.1", 80)), None);
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
        assert_eq!(decide(&script, &packet(address, port)).is_some(), expected, "{address} {port}\n{script}");
    }
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
        let edges = edges.into_iter().filter_map(|(which, template, step)| at_an_edge(&sessions, which, template.get(&packets), step));
        for packet in packets.iter().copied().chain(edges) {
            prop_assert_eq!(decide(&script, &packet), model(&sessions, &packet), "{:?}\n{}", packet, script);
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

/// The packet that opens a connection.
#[derive(Debug, Clone, Copy)]
struct Packet {
    address: IpAddr,
    port: u16,
    uid: u32,
    mark: u32,
}

fn packet(address: &str, port: u16) -> Packet {
    Packet { address: address.parse().unwrap(), port, uid: 1000, mark: 0 }
}

/// The first listener port that the most specific route of the narrowest scope leads to.
fn model(sessions: &[&SessionPlan], packet: &Packet) -> Option<u16> {
    let is_endpoint = |s: &&SessionPlan| {
        s.plan.endpoints.iter().any(|e| (e.ip(), e.port()) == (packet.address, packet.port))
    };
    if packet.mark == DIRECT_MARK || sessions.iter().any(is_endpoint) {
        return None;
    }
    [Capture::User { uid: packet.uid }, Capture::Everyone]
        .into_iter()
        .find_map(|scope| model_of_scope(sessions, scope, packet))
}

fn model_of_scope(sessions: &[&SessionPlan], scope: Capture, packet: &Packet) -> Option<u16> {
    let mut best = None;
    for (index, session) in sessions.iter().enumerate().filter(|(_, session)| session.plan.capture == scope) {
        let included = session.plan.include.iter().map(|route| (route, Some(index)));
        for (route, target) in included.chain(session.plan.exclude.iter().map(|route| (route, None))) {
            if route.net.contains(&packet.address) && route.ports.range().contains(&packet.port) {
                let width = route.ports.last - route.ports.first;
                let candidate = (width, 128 - route.net.prefix_len(), target); // None, an exclusion, is the smallest
                best = Some(best.map_or(candidate, |other| candidate.min(other)));
            }
        }
    }
    let listeners = &sessions[best?.2?].plan.listeners;
    Some(if packet.address.is_ipv4() { listeners.v4? } else { listeners.v6? }.first)
}

/// Runs the rules as the kernel does.
fn decide(script: &Script, packet: &Packet) -> Option<u16> {
    run(script, script.chains.iter().find(|chain| chain.hooked).unwrap(), packet)
}

fn run(script: &Script, chain: &Chain, packet: &Packet) -> Option<u16> {
    for rule in &chain.rules {
        if !rule.matches.iter().all(|item| matches(script, item, packet)) {
            continue;
        }
        match &rule.verdict {
            Verdict::Return => return None,
            Verdict::Redirect(ports) => return Some(ports.first),
            Verdict::Jump(name) => {
                let target = script.chains.iter().find(|chain| chain.name == *name).unwrap();
                if let Some(port) = run(script, target, packet) {
                    return Some(port);
                }
            }
        }
    }
    None
}

fn matches(script: &Script, item: &Match, packet: &Packet) -> bool {
    let elements = |name: &str| &script.sets.iter().find(|set| set.name == name).unwrap().elements;
    let (family, number) = match packet.address {
        IpAddr::V4(address) => (Family::V4, u32::from(address).into()),
        IpAddr::V6(address) => (Family::V6, address.into()),
    };
    match item {
        Match::Tcp => true,
        Match::NotTcp | Match::NotSyn | Match::Cgroup(_) | Match::LocalDestination => false,
        Match::Mark(mark) => packet.mark == *mark,
        Match::User(uid) => packet.uid == *uid,
        Match::Ports(ports) => ports.range().contains(&packet.port),
        Match::Destination(of, set) => match elements(set) {
            Elements::Ranges(ranges) => {
                *of == family && ranges.iter().any(|(first, last)| (first..=last).contains(&&number))
            }
            Elements::Endpoints(_) => panic!("{set} has no ranges"),
        },
        Match::Endpoint(of, set) => match elements(set) {
            Elements::Endpoints(all) => *of == family && all.contains(&(packet.address, packet.port).into()),
            Elements::Ranges(_) => panic!("{set} has no endpoints"),
        },
    }
}

/// Addresses and ports from a small world, so that everything overlaps.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u8>().prop_map(|low| Ipv4Addr::new(10, 0, 0, low).into()),
        any::<u32>().prop_map(|any| Ipv4Addr::from(any).into()),
        any::<u8>().prop_map(|low| Ipv6Addr::from((0xfd << 120) | u128::from(low)).into()),
        any::<u128>().prop_map(|any| Ipv6Addr::from(any).into()),
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

fn session_plan() -> impl Strategy<Value = SessionPlan> {
    let routes = || prop::collection::vec(any_route(), 0..12);
    let endpoints = prop::collection::vec((address(), 0..20u16).prop_map(Into::into), 0..3);
    (routes(), routes(), endpoints, prop::option::of(1000..1002u32), 1024..60_000u16).prop_map(
        |(include, exclude, endpoints, uid, port)| {
            let mut session = session(&[], &[], port);
            let capture = uid.map_or(Capture::Everyone, |uid| Capture::User { uid });
            session.plan = Plan { include, exclude, endpoints, capture, ..session.plan };
            session.plan.validate().unwrap();
            session
        },
    )
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let mark = prop_oneof![9 => Just(0), 1 => Just(DIRECT_MARK)];
    (address(), prop_oneof![0..25u16, any::<u16>()], 1000..1003u32, mark)
        .prop_map(|(address, port, uid, mark)| Packet { address, port, uid, mark })
}

/// One beside or at the first or last address of a route: where mistakes live.
fn at_an_edge(sessions: &[&SessionPlan], which: Index, template: &Packet, step: i8) -> Option<Packet> {
    let routes: Vec<&Route> =
        sessions.iter().flat_map(|s| s.plan.include.iter().chain(&s.plan.exclude)).collect();
    let edges: Vec<IpAddr> =
        routes.iter().flat_map(|route| [route.net.network(), route.net.broadcast()]).collect();
    let address = match *edges.get(which.index(edges.len().max(1)))? {
        IpAddr::V4(edge) => Ipv4Addr::from(u32::from(edge).wrapping_add_signed(step.into())).into(),
        IpAddr::V6(edge) => Ipv6Addr::from(u128::from(edge).wrapping_add_signed(step.into())).into(),
    };
    Some(Packet { address, ..*template })
}
