//! What the documentation says, as naively as it can be written.

use std::{cmp::Reverse, net::IpAddr};

use ropeway_helper::rules::{SessionBlock, SessionPlan};
use ropeway_helper_api::{Capture, DIRECT_MARK, Dns, Grant, Route};

use crate::simulate::{Outcome, Packet, Protocol};

/// The narrowest scope whose sessions want the packet; in it, first the question's name server, then the most
/// specific route. What nobody takes may be refused, and is counted else.
pub fn redirected(sessions: &[&SessionPlan], packet: &Packet) -> Outcome {
    let exempt = |s: &&SessionPlan| {
        let endpoint = packet.protocol == Protocol::Tcp
            && s.plan.endpoints.contains(&(packet.address, packet.port).into());
        let direct = s.direct_cgroup == Some(packet.cgroup);
        (endpoint || direct) && (s.grant == Grant::All || s.uid == packet.uid)
    };
    if packet.mark == DIRECT_MARK || sessions.iter().any(exempt) {
        return Outcome::Passes;
    }
    let mut wanting: Vec<_> = sessions.iter().filter(|session| wants(session, packet)).collect();
    wanting.sort_by_key(|session| rank(session));
    let scopes = || wanting.chunk_by(|a, b| rank(a) == rank(b));
    let taken = |scope| match (by_name(scope, packet), by_tls(scope, packet)) {
        (Some(port), _) => Some(Some(port)),
        (None, true) => Some(None), // refused behind
        (None, false) => by_route(scope, packet).map(Some),
    };
    let passes = packet.reply || packet.local || is_nearby(packet.address) || needed(packet);
    match (scopes().find_map(taken).flatten().filter(|_| !packet.known), packet.protocol) {
        (Some(port), _) => Outcome::Redirected(port),
        _ if passes => Outcome::Passes,
        _ if packet.known || !scopes().any(|scope| refuses(scope, packet)) => {
            scopes().find_map(|scope| best(scope, packet)?.meter).map_or(Outcome::Passes, Outcome::Counted)
        }
        (None, Protocol::Tcp) => Outcome::Reset,
        (None, _) => Outcome::Prohibited,
    }
}

fn refuses(scope: &[&&SessionPlan], packet: &Packet) -> bool {
    let narrowest =
        |routes: &mut dyn Iterator<Item = &Route>| routes.filter_map(|route| specific(route, packet)).min();
    let refused = narrowest(&mut scope.iter().flat_map(|session| &session.plan.reject.networks));
    let left_out = narrowest(&mut scope.iter().flat_map(|session| &session.plan.exclude));
    let network = refused.is_some_and(|refused| left_out.is_none_or(|left_out| refused < left_out));
    let quic = packet.protocol == Protocol::Udp
        && packet.port == 443
        && best(scope, packet).is_some_and(|session| session.plan.reject.quic);
    network || quic || by_tls(scope, packet)
}

/// Questions by TLS to servers whose questions are captured.
fn by_tls(scope: &[&&SessionPlan], packet: &Packet) -> bool {
    let asks = packet.protocol == Protocol::Tcp && packet.port == 853 && !packet.local;
    asks && scope.iter().filter(|session| session.plan.reject.dns_over_tls).any(|session| {
        let captured = |dns: &Dns| {
            let family = if packet.address.is_ipv4() { dns.v4 } else { dns.v6 };
            family.is_some() && (dns.servers.is_empty() || dns.servers.contains(&packet.address))
        };
        session.plan.dns.as_ref().is_some_and(captured)
    })
}

/// Whether the packet's sender is meant.
fn wants(session: &SessionPlan, packet: &Packet) -> bool {
    let captured = match session.plan.capture {
        Capture::Everyone => true,
        Capture::User { uid } => uid == packet.uid,
        Capture::Group { gid } => gid == packet.gid,
        Capture::Cgroup => session.captured_cgroup == Some(packet.cgroup),
    };
    captured && (session.grant == Grant::All || session.uid == packet.uid)
}

/// Cgroup, user, group, everyone; what is for its owner alone is the narrower one.
fn rank(session: &SessionPlan) -> (u8, Reverse<u32>, Reverse<bool>) {
    let level = session.captured_cgroup.map_or(0, |cgroup| cgroup.level);
    let own = session.grant == Grant::Own;
    match session.plan.capture {
        Capture::Cgroup => (0, Reverse(level), Reverse(own)),
        Capture::User { uid } => (1, Reverse(0), Reverse(own && uid != session.uid)),
        Capture::Group { .. } => (2, Reverse(0), Reverse(own)),
        Capture::Everyone => (3, Reverse(0), Reverse(own)),
    }
}

fn by_name(scope: &[&&SessionPlan], packet: &Packet) -> Option<u16> {
    if packet.port != 53 || packet.protocol == Protocol::Icmpv6 {
        return None;
    }
    let v4 = packet.address.is_ipv4();
    let asked = |named: bool| {
        scope.iter().find_map(|session| {
            let dns = session.plan.dns.as_ref().filter(|dns| dns.servers.is_empty() != named)?;
            let port = if v4 { dns.v4 } else { dns.v6 }?;
            let listeners = if v4 { session.plan.listeners.v4 } else { session.plan.listeners.v6 };
            let to = if packet.protocol == Protocol::Udp { port } else { listeners?.first };
            (!named || dns.servers.contains(&packet.address)).then_some(to)
        })
    };
    asked(true).or_else(|| asked(false))
}

fn by_route(scope: &[&&SessionPlan], packet: &Packet) -> Option<u16> {
    if packet.local || packet.protocol != Protocol::Tcp {
        return None;
    }
    let listeners = &best(scope, packet)?.plan.listeners;
    Some(if packet.address.is_ipv4() { listeners.v4? } else { listeners.v6? }.first)
}

/// The session that has the most specific route.
fn best<'a>(scope: &[&&'a SessionPlan], packet: &Packet) -> Option<&'a SessionPlan> {
    let mut best = None;
    for (index, session) in scope.iter().enumerate() {
        let included = session.plan.include.iter().map(|route| (route, Some(index)));
        for (route, target) in included.chain(session.plan.exclude.iter().map(|route| (route, None))) {
            if let Some((width, length)) = specific(route, packet) {
                let candidate = (width, length, target); // None, an exclusion, is the smallest
                best = Some(best.map_or(candidate, |other| candidate.min(other)));
            }
        }
    }
    Some(scope[best?.2?])
}

/// How narrow a route of this packet is, smaller is narrower; None when it is not one.
fn specific(route: &Route, packet: &Packet) -> Option<(u16, u8)> {
    let meant = route.net.contains(&packet.address)
        && (route.ports.is_all()
            || packet.protocol != Protocol::Icmpv6 && route.ports.range().contains(&packet.port));
    meant.then(|| (route.ports.last - route.ports.first, 128 - route.net.prefix_len()))
}

/// One block that wants it closed is enough.
pub fn closed(blocks: &[&SessionBlock], packet: &Packet) -> Outcome {
    let exempt = |b: &&SessionBlock| {
        let endpoint = packet.protocol == Protocol::Tcp
            && b.block.endpoints.contains(&(packet.address, packet.port).into());
        let direct = b.direct_cgroup == Some(packet.cgroup);
        (endpoint || direct) && (b.grant == Grant::All || b.uid == packet.uid)
    };
    if packet.local
        || packet.reply
        || packet.mark == DIRECT_MARK
        || needed(packet)
        || blocks.iter().any(exempt)
    {
        return Outcome::Passes;
    }
    match (blocks.iter().any(|block| closes(block, packet)), packet.protocol) {
        (false, _) => Outcome::Passes,
        (true, Protocol::Tcp) => Outcome::Reset,
        (true, _) => Outcome::Prohibited,
    }
}

/// No router passes it on.
fn is_nearby(address: IpAddr) -> bool {
    let on_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    address.is_multicast() || on_link
}

/// What a network needs to exist.
fn needed(packet: &Packet) -> bool {
    packet.protocol == Protocol::Icmpv6 && matches!(packet.port, 130..=137 | 143)
}

fn closes(block: &SessionBlock, packet: &Packet) -> bool {
    let meant = match block.block.capture {
        Capture::User { uid } => uid == packet.uid,
        Capture::Group { gid } => gid == packet.gid,
        _ => true,
    };
    if !meant || block.grant == Grant::Own && block.uid != packet.uid {
        return false;
    }
    if packet.port == 53 && packet.protocol != Protocol::Icmpv6 {
        return block.block.dns;
    }
    let narrowest = |routes: &[Route]| routes.iter().filter_map(|route| specific(route, packet)).min();
    match (narrowest(&block.block.include), narrowest(&block.block.exclude)) {
        (Some(closed), Some(open)) => closed < open,
        (closed, _) => closed.is_some(),
    }
}
