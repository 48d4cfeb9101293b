//! A whole firewall table as a plain value: comparable, printable as nft's own text (`text`), encoded elsewhere.
//!
//! Only what Ropeway needs of nft can be said. Sets and chains that are jumped to are named by their content, so equal
//! names mean equal contents: what is wanted again need not be made again. Users choose contents, so the names come from
//! a hash with which nobody can make two contents meet: else one user's set could stand where another's is meant.

use std::{
    collections::HashSet,
    fmt::Write,
    hash::{Hash, Hasher},
    net::SocketAddr,
};

use ropeway_helper_api::Ports;
use sha2::{Digest, Sha256};

use super::flatten::Family;

/// Which of our tables, all in nft's family `inet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Table {
    /// What tunnels capture. Belongs to the helper's socket: the kernel removes it with the process.
    #[default]
    Redirect,
    /// What is kept closed. Belongs to nobody: it has to survive crashes.
    Block,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Self::Redirect => "ropeway",
            Self::Block => "ropeway_ks",
        }
    }

    pub fn owned(self) -> bool {
        self == Self::Redirect
    }
}

/// Everything in the table. Chains stand behind those that they jump to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    pub table: Table,
    /// By name, each once. What they have counted stays while the name is wanted.
    pub counters: Vec<String>,
    pub sets: Vec<Set>,
    pub chains: Vec<Chain>,
    /// Of `sets`, and of the `chains` that are jumped to: there can be thousands.
    set_names: HashSet<String>,
    chain_names: HashSet<String>,
}

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
    /// Where the kernel sends packets here; other chains are jumped to.
    pub hook: Option<Hook>,
    pub rules: Vec<Rule>,
}

/// A place in the kernel's way of packets. A table has at most one chain for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// New connections of this machine's programs.
    NatOutput,
    /// New connections that come in from elsewhere.
    NatPrerouting,
    /// Every packet that comes in, before it is known for whom.
    FilterPrerouting,
    /// Every packet for this machine.
    FilterInput,
    /// Every packet that this machine sends, behind [`Hook::NatOutput`]: what is captured has a local address by then.
    FilterOutput,
    /// The same, when [`Hook::FilterOutput`] and other firewalls have let it pass.
    Leaving,
    /// Every packet that this machine passes on, when other firewalls have let it pass.
    Forward,
}

/// The usual place of destination NAT (nft's `dstnat`, a name that nft 1.0.6 refuses for the output hook).
const NAT: i32 = -100;
/// nft's `filter`.
const FILTER: i32 = 0;
/// Before nft's `security` (50), which is for labels, and behind everybody's `filter`.
const LEAVING: i32 = FILTER + 10;

impl Hook {
    /// The only chain there.
    pub fn chain(self, rules: Vec<Rule>) -> Chain {
        // other chains there are the router's and the blocks'
        let name = match self {
            Self::Leaving => "leaving",
            Self::FilterPrerouting => "devices",
            _ => self.place(),
        };
        Chain { name: name.into(), hook: Some(self), rules }
    }

    /// nft's name of the chain's type.
    pub fn kind(self) -> &'static str {
        match self {
            Self::NatOutput | Self::NatPrerouting => "nat",
            Self::FilterPrerouting
            | Self::FilterInput
            | Self::FilterOutput
            | Self::Leaving
            | Self::Forward => "filter",
        }
    }

    /// nft's name of the hook.
    pub fn place(self) -> &'static str {
        match self {
            Self::NatOutput | Self::FilterOutput | Self::Leaving => "output",
            Self::NatPrerouting | Self::FilterPrerouting => "prerouting",
            Self::FilterInput => "input",
            Self::Forward => "forward",
        }
    }

    pub fn priority(self) -> i32 {
        match self {
            Self::NatOutput | Self::NatPrerouting => NAT,
            Self::FilterPrerouting | Self::FilterInput | Self::FilterOutput => FILTER,
            Self::Leaving | Self::Forward => LEAVING,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Match {
    Family(Family),
    Tcp,
    NotTcp,
    /// A TCP packet that does not open a connection.
    NotSyn,
    Mark(u32),
    User(u32),
    Group(u32),
    Cgroup(Cgroup),
    /// The destination is an address of this machine.
    LocalDestination,
    /// It came in on the interface with this index.
    Interface(u32),
    /// TCP destination port.
    Ports(Ports),
    /// UDP destination port.
    UdpPorts(Ports),
    /// UDP source and destination port.
    UdpFlow(u16, u16),
    /// First and last type.
    Icmpv6(u8, u8),
    /// The destination address is in this set of ranges.
    Destination(Family, String),
    /// Destination address and TCP port are in this set of endpoints.
    Endpoint(Family, String),
    /// It answers what came from elsewhere.
    Reply,
    /// Nobody's rules sent it here: this was its destination from the start.
    NotRedirected,
    /// The destination is everybody nearby.
    Broadcast,
    Multicast,
    /// Of a flow that has been answered, or about one.
    Known,
    Udp,
    Icmp(Family),
    /// A program's socket sends it, not the kernel by itself.
    OfProgram,
    /// Every packet, which this counter counts: it stands behind what matches.
    Count(String),
    /// It came from a device for UDP whose user may only carry their own traffic.
    FromOwnDevice,
    /// It leaves by a device for UDP.
    ToDevice,
}

/// The number that no user has (`INVALID_UID`, linux/uidgid.h).
pub const NOBODY: u32 = u32::MAX;

/// A cgroup (v2) and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    /// Folders below the root of the hierarchy; the kernel compares the ancestor of this level.
    pub level: u32,
    /// Also the inode of its folder. The kernel never gives it to another one, so an old id matches nothing.
    pub id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    Return,
    Jump(String),
    /// To a free one of these ports on loopback, or of the address of the interface that it came in on.
    Redirect(Ports),
    /// Refused with a TCP reset.
    Reset,
    /// Refused with ICMP "administratively prohibited".
    Prohibit,
    /// No other rule of this hook's chain is asked.
    Accept,
    /// Forgotten without a word.
    Drop,
}

impl Rule {
    pub fn new(matches: impl Into<Vec<Match>>, verdict: Verdict) -> Self {
        Self { matches: matches.into(), verdict }
    }

    pub fn returning(matches: impl Into<Vec<Match>>) -> Self {
        Self::new(matches, Verdict::Return)
    }
}

impl Script {
    pub fn new(table: Table) -> Self {
        Self { table, ..Self::default() }
    }

    /// A counter of that name, which is made when there is none.
    pub fn counter(&mut self, name: String) -> String {
        if !self.counters.contains(&name) {
            self.counters.push(name.clone());
        }
        name
    }

    /// The name of a set with these elements, which is made when there is none.
    pub fn set(&mut self, label: &str, family: Family, elements: Elements) -> String {
        let name = name(label, &(family, &elements));
        if self.set_names.insert(name.clone()) {
            self.sets.push(Set { name: name.clone(), family, elements });
        }
        name
    }

    /// The name of a chain with these rules, to be jumped to, which is made when there is none.
    pub fn chain(&mut self, label: &str, rules: Vec<Rule>) -> String {
        let name = name(label, &rules);
        if self.chain_names.insert(name.clone()) {
            self.chains.push(Chain { name: name.clone(), hook: None, rules });
        }
        name
    }
}

impl Set {
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

/// Bytes of SHA-256 that a name has: two contents with the same ones take 2^64 tries.
const NAME_BYTES: usize = 16;

fn name(label: &str, content: &impl Hash) -> String {
    let mut hasher = Content::default();
    content.hash(&mut hasher);
    let mut name = format!("{label}_");
    for byte in &hasher.0.finalize()[..NAME_BYTES] {
        let _ = write!(name, "{byte:02x}"); // a string takes all
    }
    name
}

/// Feeds a value to SHA-256, by its own `Hash`.
#[derive(Default)]
struct Content(Sha256);

impl Hasher for Content {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// FNV-1a, by words instead of bytes: quick, and the same in every build. For noticing changes only: whoever knows the
/// content can make two meet.
pub struct Fnv(u64);

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
