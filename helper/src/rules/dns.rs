//! Questions to name servers, on their way to a session's listeners.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ropeway_helper_api::{Capture, Dns, Grant, Ports};

use super::{
    SessionPlan,
    flatten::Family,
    render::listener,
    script::{Elements, Match, Rule, Script, Verdict},
};

/// RFC 1035, over UDP and over TCP.
pub const PORT: Ports = Ports { first: 53, last: 53 };

/// The users of resolvers, each with the sessions whose own scope does not hold them.
pub fn resolvers(sessions: &[&SessionPlan]) -> BTreeMap<u32, Vec<usize>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, session) in sessions.iter().enumerate() {
        let resolver = session.plan.dns.as_ref().and_then(|dns| dns.resolver);
        // other users' questions, so only with the grant that questions need in any case
        let wanted = session.grant == Grant::All && session.plan.capture != Capture::Everyone;
        if let Some(uid) = resolver.filter(|_| wanted) {
            members.entry(uid).or_default().push(index);
        }
    }
    members
}

/// For the sessions of one scope. Those that name their servers come before those that want all; among equals the first
/// keeps what both want.
pub fn rules(label: &str, members: &[usize], sessions: &[&SessionPlan], script: &mut Script) -> Vec<Rule> {
    let mut asking: Vec<(&SessionPlan, &Dns)> = members
        .iter()
        .filter_map(|&index| Some((sessions[index], sessions[index].plan.dns.as_ref()?)))
        .collect();
    asking.sort_by_key(|(_, dns)| dns.servers.is_empty()); // stable: else in the order in which they came
    let mut rules = vec![];
    for (session, dns) in asking {
        for (family, listens) in [(Family::V4, dns.v4), (Family::V6, dns.v6)] {
            let Some(port) = listens else { continue };
            let Some(to) = destination(label, family, dns, script) else { continue };
            let udp = Verdict::Redirect(Ports { first: port, last: port });
            rules.push(Rule::new([to.clone(), Match::UdpPorts(PORT)], udp));
            if let Some(ports) = listener(&session.plan.listeners, family) {
                rules.push(Rule::new([to, Match::Ports(PORT)], Verdict::Redirect(ports)));
            }
        }
    }
    rules
}

/// None when the servers that are meant are all of the other family.
pub(super) fn destination(label: &str, family: Family, dns: &Dns, script: &mut Script) -> Option<Match> {
    if dns.servers.is_empty() {
        return Some(Match::Family(family));
    }
    let numbers = dns.servers.iter().filter_map(|server| number(family, *server)).collect::<BTreeSet<_>>();
    let servers = ranges(numbers);
    let set = || script.set(&format!("{label}_names"), family, Elements::Ranges(servers.clone()));
    (!servers.is_empty()).then(set).map(|set| Match::Destination(family, set))
}

fn number(family: Family, address: IpAddr) -> Option<u128> {
    match (family, address) {
        (Family::V4, IpAddr::V4(address)) => Some(u32::from(address).into()),
        (Family::V6, IpAddr::V6(address)) => Some(address.into()),
        _ => None,
    }
}

/// Neighbours are joined, as the kernel's interval sets want them.
fn ranges(ascending: BTreeSet<u128>) -> Vec<(u128, u128)> {
    let mut ranges: Vec<(u128, u128)> = vec![];
    for number in ascending {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}
