//! The whole firewall table as a plain value: comparable, printable as nft's own text, encoded elsewhere.
//!
//! Only what Ropeway needs of nft can be said. The `Display` text is accepted by `nft -f` (but for cgroups, which nft
//! names by path); people read it in golden files and in the log, the kernel gets the netlink encoding.

use std::{
    fmt::{self, Display, Formatter},
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ropeway_helper_api::Ports;

use super::flatten::Family;

/// The name of the table, in nft's family `inet`.
pub const TABLE: &str = "ropeway";

/// Everything in the table. Chains stand behind those that they jump to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    pub sets: Vec<Set>,
    pub chains: Vec<Chain>,
}

/// Equal names mean equal contents, so that a set which is wanted again need not be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub name: String,
    pub family: Family,
    pub elements: Elements,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Elements {
    /// First and last address, ascending, disjoint.
    Ranges(Vec<(u128, u128)>),
    /// All of the set's family.
    Endpoints(Vec<SocketAddr>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub name: String,
    /// Whether the kernel sends new connections of this machine's programs here (nat, hook output, priority
    /// [`PRIORITY`]); other chains are jumped to.
    pub hooked: bool,
    pub rules: Vec<Rule>,
}

/// The usual place of destination NAT (nft's `dstnat`, a name that nft 1.0.6 refuses for the output hook).
pub const PRIORITY: i32 = -100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    Tcp,
    NotTcp,
    /// A TCP packet that does not open a connection.
    NotSyn,
    Mark(u32),
    User(u32),
    Cgroup(Cgroup),
    /// The destination is an address of this machine.
    LocalDestination,
    /// TCP destination port.
    Ports(Ports),
    /// The destination address is in this set of ranges.
    Destination(Family, String),
    /// Destination address and TCP port are in this set of endpoints.
    Endpoint(Family, String),
}

/// A cgroup (v2) and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cgroup {
    /// Folders below the root of the hierarchy; the kernel compares the ancestor of this level.
    pub level: u32,
    /// Also the inode of its folder.
    pub id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Return,
    Jump(String),
    /// To a free one of these ports on loopback.
    Redirect(Ports),
}

impl Set {
    pub fn named_by_content(label: &str, family: Family, elements: Elements) -> Self {
        let mut hasher = Fnv::default();
        (family, &elements).hash(&mut hasher);
        Self { name: format!("{label}_{:016x}", hasher.finish()), family, elements }
    }

    /// Ranges or endpoints, as the kernel counts them.
    pub fn len(&self) -> usize {
        match &self.elements {
            Elements::Ranges(ranges) => ranges.len(),
            Elements::Endpoints(endpoints) => endpoints.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// FNV-1a, by words instead of bytes: quick, and the same in every build. Whoever makes two contents of their own
/// meet gets an error, because the table is read back.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325) // FNV's offset basis
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3); // FNV's prime
        self.0 ^= self.0 >> 32; // else the upper half of a word reaches only the upper half of the hash
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Family {
    /// The address that flattening has as a number.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(number as u32).into(),
            Self::V6 => Ipv6Addr::from(number).into(),
        }
    }

    fn bits(self) -> u32 {
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
        writeln!(f, "table inet {TABLE} {{\n\tflags owner")?;
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
        if self.hooked {
            writeln!(f, "\t\ttype nat hook output priority {PRIORITY}; policy accept;")?;
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
            Self::Tcp => f.write_str("meta l4proto tcp"),
            Self::NotTcp => f.write_str("meta l4proto != tcp"),
            Self::NotSyn => f.write_str("tcp flags & (fin | syn | rst | ack) != syn"),
            Self::Mark(mark) => write!(f, "meta mark {mark:#010x}"),
            Self::User(uid) => write!(f, "meta skuid {uid}"),
            Self::Cgroup(Cgroup { level, id }) => write!(f, "socket cgroupv2 level {level} {id}"),
            Self::LocalDestination => f.write_str("fib daddr type local"),
            Self::Ports(ports) => write!(f, "tcp dport {}", Span(*ports)),
            Self::Destination(family, set) => write!(f, "{} daddr @{set}", family.header()),
            Self::Endpoint(family, set) => write!(f, "{} daddr . tcp dport @{set}", family.header()),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Redirect(ports) => write!(f, "redirect to :{}", Span(*ports)),
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
