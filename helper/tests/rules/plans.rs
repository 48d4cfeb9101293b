//! Plans as the tests write them.

use ropeway_helper::rules::{Cgroup, SessionBlock, SessionPlan};
use ropeway_helper_api::{Block, BlockId, Capture, Dns, Grant, ListenerPorts, Plan, Ports, Reject, Route};

pub fn session(include: &[&str], exclude: &[&str], port: u16) -> SessionPlan {
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
        reject: Reject::default(),
        meter: false,
    };
    plan.validate().unwrap();
    SessionPlan {
        plan,
        uid: 1000,
        grant: Grant::All,
        direct_cgroup: None,
        captured_cgroup: None,
        meter: None,
    }
}

/// `NET`, `NET PORT` or `NET FIRST-LAST`.
pub fn route(text: &str) -> Route {
    let (net, ports) = text.split_once(' ').unwrap_or((text, "0-65535"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    Route {
        net: net.parse().unwrap(),
        ports: Ports { first: first.parse().unwrap(), last: last.parse().unwrap() },
    }
}

pub fn with_names(session: SessionPlan, servers: &[&str], port: u16) -> SessionPlan {
    let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
    let dns = Some(Dns { servers, v4: Some(port), v6: Some(port), resolver: None });
    SessionPlan { plan: Plan { dns, ..session.plan }, ..session }
}

pub fn captured_by(session: SessionPlan, capture: Capture, cgroup: Option<Cgroup>) -> SessionPlan {
    SessionPlan { plan: Plan { capture, ..session.plan }, captured_cgroup: cgroup, ..session }
}

pub fn block(uid: u32, id: u64, include: &[&str], exclude: &[&str]) -> SessionBlock {
    let block = Block {
        id: BlockId(id),
        include: include.iter().map(|text| route(text)).collect(),
        exclude: exclude.iter().map(|text| route(text)).collect(),
        capture: Capture::Everyone,
        endpoints: vec![],
        dns: false,
        direct_cgroup: false,
    };
    block.validate().unwrap();
    SessionBlock { block, uid, grant: Grant::All, direct_cgroup: None }
}
