//! Runs the rules of a script as the kernel does, for one packet.

use std::net::IpAddr;

use ropeway_helper::rules::{
    Cgroup, Script,
    flatten::Family,
    script::{Chain, Elements, Hook, Match, Verdict},
};

/// A packet, the first of its flow unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Packet {
    pub address: IpAddr,
    /// Destination port; the type of an `ICMPv6` message.
    pub port: u16,
    pub protocol: Protocol,
    pub uid: u32,
    pub gid: u32,
    /// The only one that its socket is in.
    pub cgroup: Cgroup,
    pub mark: u32,
    /// The interface that it came in on.
    pub interface: u32,
    /// For an address of this machine.
    pub local: bool,
    /// Of a flow that was answered before.
    pub known: bool,
    /// It answers what came in.
    pub reply: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    Icmpv6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passes,
    /// To the first port of the range.
    Redirected(u16),
    Reset,
    Prohibited,
    /// By this meter.
    Counted(u64),
}

pub fn packet(address: &str, port: u16) -> Packet {
    Packet {
        address: address.parse().unwrap(),
        port,
        protocol: Protocol::Tcp,
        uid: 1000,
        gid: 100,
        cgroup: Cgroup { level: 1, id: 1 },
        mark: 0,
        interface: 0,
        local: false,
        known: false,
        reply: false,
    }
}

pub fn question(address: &str) -> Packet {
    Packet { protocol: Protocol::Udp, ..packet(address, 53) }
}

/// What a program's packet meets first. The kernel asks `nat` about the first packet of a flow only.
pub fn sent(script: &Script, packet: &Packet) -> Outcome {
    let hooks = [Hook::NatOutput, Hook::FilterOutput, Hook::Leaving];
    let asked = hooks.into_iter().filter(|hook| !packet.known || *hook != Hook::NatOutput);
    let mut met = asked.map(|hook| at(script, hook, packet));
    met.find(|outcome| *outcome != Outcome::Passes).unwrap_or(Outcome::Passes)
}

pub fn at(script: &Script, hook: Hook, packet: &Packet) -> Outcome {
    let chain = script.chains.iter().find(|chain| chain.hook == Some(hook));
    chain.and_then(|chain| run(script, chain, packet)).unwrap_or(Outcome::Passes)
}

fn run(script: &Script, chain: &Chain, packet: &Packet) -> Option<Outcome> {
    for rule in &chain.rules {
        if !rule.matches.iter().all(|item| matches(script, item, packet)) {
            continue;
        }
        match &rule.verdict {
            Verdict::Return => return None,
            Verdict::Accept => return Some(rule.matches.iter().find_map(counted).unwrap_or(Outcome::Passes)),
            Verdict::Redirect(ports) => return Some(Outcome::Redirected(ports.first)),
            Verdict::Reset => return Some(Outcome::Reset),
            Verdict::Prohibit | Verdict::Drop => return Some(Outcome::Prohibited),
            Verdict::Jump(name) => {
                let target = script.chains.iter().find(|chain| chain.name == *name).unwrap();
                if let Some(outcome) = run(script, target, packet) {
                    return Some(outcome);
                }
            }
        }
    }
    None
}

/// `leak_7_udp` belongs to meter 7.
fn counted(item: &Match) -> Option<Outcome> {
    let Match::Count(name) = item else { return None };
    Some(Outcome::Counted(name.split('_').nth(1).unwrap().parse().unwrap()))
}

fn matches(script: &Script, item: &Match, packet: &Packet) -> bool {
    let elements = |name: &str| &script.sets.iter().find(|set| set.name == name).unwrap().elements;
    let (family, number) = match packet.address {
        IpAddr::V4(address) => (Family::V4, u32::from(address).into()),
        IpAddr::V6(address) => (Family::V6, address.into()),
    };
    let is = |protocol| packet.protocol == protocol;
    match item {
        Match::Family(of) => *of == family,
        Match::Tcp => is(Protocol::Tcp),
        Match::NotTcp => !is(Protocol::Tcp),
        Match::NotSyn => is(Protocol::Tcp) && packet.known,
        Match::UdpFlow(..)
        | Match::FromOwnDevice
        | Match::ToDevice
        | Match::Broadcast
        | Match::Icmp(Family::V4) => false,
        Match::Multicast => packet.address.is_multicast(),
        Match::Known => packet.known,
        Match::Udp => is(Protocol::Udp),
        Match::Icmp(Family::V6) => is(Protocol::Icmpv6),
        Match::Mark(mark) => packet.mark == *mark,
        Match::User(uid) => packet.uid == *uid,
        Match::Group(gid) => packet.gid == *gid,
        Match::Cgroup(cgroup) => packet.cgroup == *cgroup,
        Match::LocalDestination => packet.local,
        Match::Interface(index) => packet.interface == *index,
        Match::Ports(ports) => is(Protocol::Tcp) && ports.range().contains(&packet.port),
        Match::UdpPorts(ports) => is(Protocol::Udp) && ports.range().contains(&packet.port),
        Match::Icmpv6(first, last) => {
            is(Protocol::Icmpv6) && (u16::from(*first)..=u16::from(*last)).contains(&packet.port)
        }
        Match::Destination(of, set) => match elements(set) {
            Elements::Ranges(ranges) => {
                *of == family && ranges.iter().any(|(first, last)| (first..=last).contains(&&number))
            }
            Elements::Endpoints(_) => panic!("{set} has no ranges"),
        },
        Match::Endpoint(of, set) => match elements(set) {
            Elements::Endpoints(all) => {
                *of == family && is(Protocol::Tcp) && all.contains(&(packet.address, packet.port).into())
            }
            Elements::Ranges(_) => panic!("{set} has no endpoints"),
        },
        Match::Reply => packet.reply,
        Match::NotRedirected | Match::OfProgram | Match::Count(_) => true,
    }
}
