//! What a plan may be, and what not.
#![allow(clippy::unwrap_used)]

use ipnet::IpNet;
use ropeway_helper_api::{Capture, ListenerPorts, Plan, PlanError, Ports, Reject, Route, plan::limit};

fn ports(first: u16, last: u16) -> Ports {
    Ports { first, last }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn plan() -> Plan {
    Plan {
        include: vec![net("10.0.0.0/8").into(), net("fd00::/8").into()],
        exclude: vec![Route { net: net("10.1.0.0/16"), ports: ports(22, 22) }],
        listeners: ListenerPorts { v4: Some(ports(12300, 12307)), v6: Some(ports(12300, 12307)) },
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

#[test]
fn an_ordinary_plan_is_accepted() {
    assert_eq!(plan().validate(), Ok(()));
}

#[test]
fn counts_are_limited() {
    let route = Route::from(net("10.0.0.0/8"));
    let mut routes = plan();
    routes.include = vec![route; limit::ROUTES / 2];
    routes.exclude = vec![route; limit::ROUTES / 2];
    assert_eq!(routes.validate(), Ok(()));
    routes.exclude.push(route);
    assert_eq!(routes.validate(), Err(PlanError::TooManyRoutes(limit::ROUTES + 1)));

    let mut endpoints = plan();
    endpoints.endpoints = vec!["192.0.2.1:22".parse().unwrap(); limit::ENDPOINTS + 1];
    assert_eq!(endpoints.validate(), Err(PlanError::TooManyEndpoints(limit::ENDPOINTS + 1)));

    let mut ranges = plan();
    ranges.include = (0..limit::PORT_RANGES as u16).map(|p| Route { ports: ports(p, p), ..route }).collect();
    ranges.exclude.clear();
    assert_eq!(ranges.validate(), Ok(()));
    ranges.exclude = vec![route];
    assert_eq!(ranges.validate(), Err(PlanError::TooManyPortRanges(limit::PORT_RANGES + 1)));
}

#[test]
fn what_is_rejected_is_routes_among_the_others() {
    let mut rejecting = plan();
    rejecting.reject.networks = vec![net("::/0").into()];
    assert_eq!(rejecting.validate(), Ok(()));
    rejecting.listeners.v6 = None;
    rejecting.include.truncate(1);
    assert_eq!(rejecting.validate(), Ok(()), "a rejected family needs no listener");
    rejecting.reject.networks = vec![net("fd00::1/8").into()];
    assert_eq!(rejecting.validate(), Err(PlanError::HostBits(net("fd00::1/8"))));
    rejecting.reject.networks = vec![net("::/0").into(); limit::ROUTES];
    assert_eq!(rejecting.validate(), Err(PlanError::TooManyRoutes(limit::ROUTES + 2)));
}

#[test]
fn a_plan_of_revision_0_rejects_and_counts_nothing() {
    let mut old = serde_json::to_value(plan()).unwrap();
    for new in ["reject", "meter"] {
        old.as_object_mut().unwrap().remove(new);
    }
    assert_eq!(serde_json::from_value::<Plan>(old).unwrap(), plan());
    let part: Reject = serde_json::from_str(r#"{"quic":true}"#).unwrap();
    assert_eq!(part, Reject { quic: true, ..Reject::default() });
}

#[test]
fn listener_ports_are_a_small_unprivileged_range() {
    for (first, last, good) in [
        (1024, 1024, true),
        (65472, 65535, true),
        (1023, 1030, false),
        (5000, 4999, false),
        (5000, 5064, false),
    ] {
        let mut plan = plan();
        plan.listeners.v4 = Some(ports(first, last));
        let expected = if good { Ok(()) } else { Err(PlanError::Listener { first, last }) };
        assert_eq!(plan.validate(), expected);
    }
}

#[test]
fn a_route_is_a_network_with_a_port_range() {
    let mut host_bits = plan();
    host_bits.exclude.push(net("10.0.0.1/8").into());
    assert_eq!(host_bits.validate(), Err(PlanError::HostBits(net("10.0.0.1/8"))));

    let mut backwards = plan();
    backwards.include[0].ports = ports(81, 80);
    assert_eq!(backwards.validate(), Err(PlanError::Ports { first: 81, last: 80 }));
}

#[test]
fn an_included_family_needs_its_listener_and_an_excluded_one_does_not() {
    let mut plan = plan();
    plan.listeners.v6 = None;
    assert_eq!(plan.validate(), Err(PlanError::NoListener(net("fd00::/8"))));
    plan.exclude.append(&mut plan.include.split_off(1));
    assert_eq!(plan.validate(), Ok(()));
}

#[test]
fn all_ports_need_not_be_written() {
    let route: Route = serde_json::from_str(r#"{"net":"10.0.0.0/8"}"#).unwrap();
    assert_eq!(route, Route::from(net("10.0.0.0/8")));
    assert_eq!(serde_json::to_string(&route).unwrap(), r#"{"net":"10.0.0.0/8"}"#);
}
