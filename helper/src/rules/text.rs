//! The table as nft's own text. `nft -f` accepts it (but for cgroups, which nft names by path); people read it in golden
//! files and in the log, the kernel gets the netlink encoding.

use std::{
    fmt::{self, Display, Formatter},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ropeway_helper_api::Ports;

use super::{
    flatten::Family,
    script::{Cgroup, Chain, Elements, Match, NOBODY, Rule, Script, Set, Verdict},
    udp,
};

impl Family {
    /// The address that flattening has as a number.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(number as u32).into(),
            Self::V6 => Ipv6Addr::from(number).into(),
        }
    }

    pub(super) fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "table inet {} {{", self.table.name())?;
        if self.table.owned() {
            writeln!(f, "\tflags owner")?;
        }
        for counter in &self.counters {
            write!(f, "\n\tcounter {counter} {{\n\t\tpackets 0 bytes 0\n\t}}\n")?;
        }
        self.sets.iter().try_for_each(|set| write!(f, "\n{set}"))?;
        self.chains.iter().try_for_each(|chain| write!(f, "\n{chain}"))?;
        writeln!(f, "}}")
    }
}

impl Display for Set {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let address = match self.family {
            Family::V4 => "ipv4_addr",
            Family::V6 => "ipv6_addr",
        };
        writeln!(f, "\tset {} {{", self.name)?;
        let elements: Vec<String> = match &self.elements {
            Elements::Ranges(ranges) => {
                writeln!(f, "\t\ttype {address}\n\t\tflags interval")?;
                ranges.iter().map(|&(first, last)| range(self.family, first, last)).collect()
            }
            Elements::Endpoints(endpoints) => {
                writeln!(f, "\t\ttype {address} . inet_service")?;
                endpoints.iter().map(|endpoint| format!("{} . {}", endpoint.ip(), endpoint.port())).collect()
            }
        };
        writeln!(f, "\t\telements = {{ {} }}\n\t}}", elements.join(",\n\t\t\t     "))
    }
}

/// As nft writes it: an address, a prefix, or both ends.
fn range(family: Family, first: u128, last: u128) -> String {
    let host_bits = (first ^ last).count_ones();
    let host_mask = first ^ last;
    let is_prefix = first & host_mask == 0 && host_mask.trailing_ones() == host_bits;
    match host_bits {
        0 => family.address(first).to_string(),
        bits if is_prefix => format!("{}/{}", family.address(first), family.bits() - bits),
        _ => format!("{}-{}", family.address(first), family.address(last)),
    }
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        if let Some(hook) = self.hook {
            let (kind, place, priority) = (hook.kind(), hook.place(), hook.priority());
            writeln!(f, "\t\ttype {kind} hook {place} priority {priority}; policy accept;")?;
        }
        self.rules.iter().try_for_each(|rule| writeln!(f, "\t\t{rule}"))?;
        writeln!(f, "\t}}")
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.matches.iter().try_for_each(|item| write!(f, "{item} "))?;
        self.verdict.fmt(f)
    }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Family(Family::V4) => f.write_str("meta nfproto ipv4"),
            Self::Family(Family::V6) => f.write_str("meta nfproto ipv6"),
            Self::Tcp => f.write_str("meta l4proto tcp"),
            Self::NotTcp => f.write_str("meta l4proto != tcp"),
            Self::NotSyn => f.write_str("tcp flags & (fin | syn | rst | ack) != syn"),
            Self::Mark(mark) => write!(f, "meta mark {mark:#010x}"),
            Self::User(uid) => write!(f, "meta skuid {uid}"),
            Self::Group(gid) => write!(f, "meta skgid {gid}"),
            Self::Cgroup(Cgroup { level, id }) => write!(f, "socket cgroupv2 level {level} {id}"),
            Self::LocalDestination => f.write_str("fib daddr type local"),
            Self::Broadcast => f.write_str("fib daddr type broadcast"),
            Self::Multicast => f.write_str("fib daddr type multicast"),
            Self::Interface(index) => write!(f, "iif {index}"),
            Self::FromOwnDevice => write!(f, "iifname \"{}*\"", udp::OWN),
            Self::ToDevice => write!(f, "oifname \"{}*\"", udp::ANY),
            Self::Ports(ports) => write!(f, "tcp dport {}", Span(*ports)),
            Self::UdpPorts(ports) => write!(f, "udp dport {}", Span(*ports)),
            Self::UdpFlow(from, to) => write!(f, "udp sport {from} udp dport {to}"),
            Self::Icmpv6(first, last) if first == last => write!(f, "icmpv6 type {first}"),
            Self::Icmpv6(first, last) => write!(f, "icmpv6 type {first}-{last}"),
            Self::Destination(family, set) => write!(f, "{} daddr @{set}", family.header()),
            Self::Endpoint(family, set) => write!(f, "{} daddr . tcp dport @{set}", family.header()),
            Self::Reply => f.write_str("ct direction reply"),
            Self::Known => f.write_str("ct state established,related"),
            Self::Udp => f.write_str("meta l4proto udp"),
            Self::OfProgram => write!(f, "meta skuid != {NOBODY}"),
            Self::Icmp(Family::V4) => f.write_str("meta l4proto icmp"),
            Self::Icmp(Family::V6) => f.write_str("meta l4proto ipv6-icmp"),
            Self::Count(counter) => write!(f, "counter name \"{counter}\""),
            Self::NotRedirected => f.write_str("ct status & dnat != dnat"),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Return => f.write_str("return"),
            Self::Accept => f.write_str("accept"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Redirect(ports) => write!(f, "redirect to :{}", Span(*ports)),
            Self::Drop => f.write_str("drop"),
            Self::Reset => f.write_str("reject with tcp reset"),
            Self::Prohibit => f.write_str("reject with icmpx admin-prohibited"),
        }
    }
}

struct Span(Ports);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Ports { first, last } = self.0;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}
