//! What the tables look like.

use ropeway_helper::rules::{Cgroup, SessionPlan, flatten::Family, iptables, render, render_blocks};
use ropeway_helper_api::{Capture, Grant, Ports, Reject};

use crate::plans::{block, captured_by, route, session, with_names};

/// Compares with `tests/golden/NAME.nft`, or writes it when `UPDATE_GOLDEN` is set.
fn check(name: &str, sessions: &[&SessionPlan]) {
    compare(&format!("{name}.nft"), &render(sessions).unwrap().to_string());
}

fn compare(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
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

#[test]
fn every_scope() {
    let plan = |port| session(&["10.0.0.0/8"], &[], port);
    let (outer, inner) = (Cgroup { level: 3, id: 33 }, Cgroup { level: 5, id: 55 });
    let mut own = captured_by(plan(12310), Capture::Cgroup, Some(inner));
    own.grant = Grant::Own;
    own.direct_cgroup = Some(outer);
    own.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap()];
    let sessions = [
        plan(12300),
        own,
        captured_by(plan(12320), Capture::Group { gid: 100 }, None),
        captured_by(plan(12330), Capture::User { uid: 1001 }, None),
        captured_by(plan(12340), Capture::Cgroup, Some(outer)),
    ];
    check("every-scope", &sessions.iter().collect::<Vec<_>>());
}

#[test]
fn names() {
    let all = with_names(session(&["10.0.0.0/8", "fd00::/8"], &[], 12300), &[], 12353);
    let one = with_names(session(&["11.0.0.0/8"], &[], 12310), &["10.0.0.1", "10.0.0.2"], 12363);
    check("names", &[&all, &one]);
}

#[test]
fn rejects() {
    let include = ["0.0.0.0/0", "10.0.0.0/8 443"];
    let mut user =
        with_names(session(&include, &["10.1.0.0/16", "fd00::/16 443"], 12300), &["9.9.9.9"], 12353);
    user.plan.capture = Capture::User { uid: 1000 };
    user.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap()];
    user.direct_cgroup = Some(Cgroup { level: 5, id: 4711 });
    let networks = ["::/0", "10.2.0.0/16 80-81"].map(route).into();
    user.plan.reject = Reject { networks, quic: true, dns_over_tls: true };
    check("rejects", &[&user, &session(&["11.0.0.0/8"], &[], 12310)]);
}

#[test]
fn meter() {
    let mut user = session(&["10.0.0.0/8", "fd00::/8 443"], &["10.1.0.0/16"], 12300);
    user.plan.capture = Capture::User { uid: 1000 };
    user.plan.reject.networks = vec![route("10.2.0.0/16")];
    user.meter = Some(7);
    let mut all = session(&["10.0.0.0/8", "11.0.0.0/8"], &[], 12310);
    all.meter = Some(8);
    check("meter", &[&user, &all, &session(&["11.1.0.0/16"], &[], 12320)]);
}

#[test]
fn router() {
    let mut router = session(&["10.0.0.0/8", "fd00::/8 443"], &["10.1.0.0/16"], 12300);
    router.plan.forwarded = vec![7, 5];
    router.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap()];
    let mut second = session(&["11.0.0.0/8"], &[], 12310);
    second.plan.forwarded = vec![7];
    check("router", &[&router, &second]);
}

#[test]
fn blocks() {
    let mut all = block(1000, 1, &["0.0.0.0/0", "::/0"], &["192.168.0.0/16", "10.0.0.0/8 443"]);
    all.block.endpoints = vec!["192.0.2.1:22".parse().unwrap(), "[2001:db8::1]:22".parse().unwrap()];
    all.block.dns = true;
    all.direct_cgroup = Some(Cgroup { level: 5, id: 4711 });
    let mut own = block(1001, 1, &["10.0.0.0/8", "fd00::/8 80"], &["10.1.0.0/16"]);
    own.grant = Grant::Own;
    own.block.capture = Capture::User { uid: 1001 };
    own.block.endpoints = vec!["192.0.2.2:22".parse().unwrap()];
    compare("blocks.nft", &render_blocks(&[&all, &own]).unwrap().to_string());
}

#[test]
fn without_nft() {
    let mut wanted = session(&["10.0.0.0/8", "0.0.0.0/0 443", "fd00::/8 80-81"], &["10.1.0.0/16"], 12300);
    wanted.plan.capture = Capture::User { uid: 1000 };
    wanted.plan.endpoints = vec!["192.0.2.1:22".parse().unwrap(), "[2001:db8::1]:22".parse().unwrap()];
    let wanted = with_names(wanted, &["10.0.0.53"], 12353);
    for (family, name) in [(Family::V4, "iptables.rules"), (Family::V6, "ip6tables.rules")] {
        let lines = iptables::render(&wanted, family).unwrap();
        compare(name, &iptables::restore(&lines, "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"));
    }
}
