//! What the kernel remembers of flows that the rules are to decide about anew. Pure.
//!
//! The kernel asks the rules about the first packet of a flow, and then goes by memory. An attempt to connect that failed
//! before there were rules is remembered for up to two minutes (`nf_conntrack_tcp_timeout_syn_sent`): a program that
//! tries again from the same port in that time would go around the tunnel, and one that still waits for its answer too.

use std::net::IpAddr;

use ipnet::IpNet;
use ropeway_helper_api::Ports;

use super::{SessionPlan, dns};

/// A flow, as its first packet wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub to: IpAddr,
    pub port: u16,
    pub kind: Kind,
    /// The port of this machine that it goes to instead.
    pub redirected: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Udp,
    Tcp(Phase),
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nobody has answered yet.
    Opening,
    /// Forgotten, what a program still sends would leave under its own address, to somebody who does not know it.
    Open,
    /// Nothing of it can come any more, but the first packet of another.
    Ended,
}

/// Which flows are to be forgotten.
#[derive(Debug, Default)]
pub struct Stale {
    /// Disjoint and ascending.
    networks: Vec<IpNet>,
    /// What goes there goes right.
    listeners: Vec<Ports>,
    /// What is wanted of name servers is another thing now.
    names: bool,
    /// A session came or went: where it listens, other things were or will be.
    moved: bool,
}

impl Stale {
    /// When the sessions were these, and are those.
    pub fn between<'a, I: Iterator<Item = &'a SessionPlan> + Clone>(before: I, after: I) -> Self {
        let routes = before.clone().chain(after.clone()).flat_map(|session| &session.plan.include);
        let networks: Vec<IpNet> = routes.map(|route| route.net).collect();
        let listeners = |sessions: I| sessions.map(|session| &session.plan.listeners);
        let asks = |sessions: I| sessions.filter_map(|it| Some((it.who(), it.plan.dns.as_ref()?)));
        Self {
            networks: IpNet::aggregate(&networks),
            listeners: listeners(after.clone()).flat_map(|it| [it.v4, it.v6]).flatten().collect(),
            moved: !listeners(before.clone()).eq(listeners(after.clone())),
            names: !asks(before).eq(asks(after)),
        }
    }

    /// Whether only flows that nobody has answered can be among them. Those are few, even where the kernel remembers a
    /// hundred thousand others.
    pub fn are_unanswered(&self) -> bool {
        !self.names && !self.moved
    }

    pub fn contains(&self, flow: &Flow) -> bool {
        let asks = self.names && dns::PORT.range().contains(&flow.port);
        match flow.kind {
            Kind::Udp => asks,
            Kind::Tcp(Phase::Open) => false,
            Kind::Tcp(Phase::Ended) if self.are_unanswered() => false,
            Kind::Tcp(_) => (asks || self.is_routed(flow.to)) && !self.goes_right(flow),
        }
    }

    /// Whatever the port: to forget an attempt that may go its way costs nothing.
    fn is_routed(&self, address: IpAddr) -> bool {
        let behind = self.networks.partition_point(|net| net.network() <= address);
        behind.checked_sub(1).is_some_and(|last| self.networks[last].contains(&address))
    }

    fn goes_right(&self, flow: &Flow) -> bool {
        flow.redirected.is_some_and(|port| self.listeners.iter().any(|ports| ports.range().contains(&port)))
    }
}
