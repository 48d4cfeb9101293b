//! Which names a session may have. A server says what it likes, so this is what keeps it from naming `bank.example`.
//! Pure.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use ropeway_helper_api::{
    HostEntry, HostRefusal, Hosts, RefusedHost,
    hosts::{
        is_host_name, is_suffix,
        limit::{ENTRIES, NAME, SUFFIXES},
    },
};

/// What is already there.
pub struct Circumstances<'a> {
    /// Whether an address is in the session's routes.
    pub inside: &'a dyn Fn(IpAddr) -> bool,
    /// Names on lines of the file that are not ours, in small letters.
    pub file: &'a HashSet<Vec<u8>>,
    /// What earlier sessions have.
    pub earlier: &'a [&'a [HostEntry]],
    /// This computer's own name.
    pub machine: &'a str,
}

/// A list that no honest client sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    #[error("{0} names, at most {ENTRIES} are allowed")]
    TooManyEntries(usize),
    #[error("{0} suffixes, at most {SUFFIXES} are allowed")]
    TooManySuffixes(usize),
    #[error("suffix {0:?} is no name, or ends everybody's names")]
    Suffix(String),
}

/// The entries that may stand in the file, with names in small letters, and the others. Of several addresses for one
/// name the first of each family counts.
pub fn check(
    hosts: &Hosts,
    circumstances: &Circumstances,
) -> Result<(Vec<HostEntry>, Vec<RefusedHost>), BadList> {
    let suffixes = suffixes(hosts)?;
    let earlier = circumstances.earlier_names();
    let (mut accepted, mut refused) = (vec![], vec![]);
    let mut seen = HashSet::new();
    for entry in &hosts.entries {
        let name = entry.name.to_ascii_lowercase();
        match circumstances.refusal(&name, entry.address, &suffixes, &earlier) {
            Some(why) => {
                refused.push(RefusedHost { name: shortened(&entry.name), address: entry.address, why });
            }
            None if seen.insert((name.clone(), entry.address.is_ipv4())) => {
                accepted.push(HostEntry { name, address: entry.address });
            }
            None => {}
        }
    }
    Ok((accepted, refused))
}

fn suffixes(hosts: &Hosts) -> Result<Vec<String>, BadList> {
    if hosts.entries.len() > ENTRIES {
        return Err(BadList::TooManyEntries(hosts.entries.len()));
    }
    if hosts.suffixes.len() > SUFFIXES {
        return Err(BadList::TooManySuffixes(hosts.suffixes.len()));
    }
    let check = |suffix: &String| {
        is_suffix(suffix)
            .then(|| format!(".{}", suffix.to_ascii_lowercase()))
            .ok_or_else(|| BadList::Suffix(shortened(suffix)))
    };
    hosts.suffixes.iter().map(check).collect()
}

type Earlier<'a> = HashMap<&'a str, Vec<IpAddr>>;

impl<'a> Circumstances<'a> {
    fn earlier_names(&self) -> Earlier<'a> {
        let mut names = Earlier::new();
        for entry in self.earlier.iter().copied().flatten() {
            names.entry(&entry.name).or_default().push(entry.address);
        }
        names
    }

    /// `name` is in small letters.
    fn refusal(
        &self,
        name: &str,
        address: IpAddr,
        suffixes: &[String],
        earlier: &Earlier,
    ) -> Option<HostRefusal> {
        if !is_host_name(name) {
            return Some(HostRefusal::Syntax);
        }
        if is_reserved(name, self.machine) {
            return Some(HostRefusal::Reserved);
        }
        if name.contains('.') && !suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            return Some(HostRefusal::Suffix);
        }
        if !is_hosts_address(address) || !(self.inside)(address) {
            return Some(HostRefusal::Address);
        }
        if self.file.contains(name.as_bytes()) {
            return Some(HostRefusal::Taken);
        }
        let other = earlier.get(name).is_some_and(|addresses| !addresses.contains(&address));
        other.then_some(HostRefusal::TakenBySession)
    }
}

/// This computer's own names, and those that programs look for without being told: whoever answers as `wpad` becomes
/// everybody's proxy.
fn is_reserved(name: &str, machine: &str) -> bool {
    const LOCAL: [&str; 3] = ["localhost", "localhost4", "localhost6"];
    let first = name.split('.').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    let machine = machine.to_ascii_lowercase();
    LOCAL.contains(&first)
        || last == "localhost"
        || first.starts_with("ip6-")
        || ["broadcasthost", "wpad", "isatap"].contains(&first)
        || name == machine
        || Some(name) == machine.split('.').next()
}

/// Whether a host can have it, and one that is not this computer.
fn is_hosts_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let this_network = v4.octets()[0] == 0; // RFC 1122: "this host on this network"
            !(this_network
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            let local = v6.is_unspecified() || v6.is_loopback() || v6.is_unicast_link_local();
            !(local || v6.is_multicast() || v6.to_ipv4().is_some())
        }
    }
}

fn shortened(name: &str) -> String {
    name[..name.floor_char_boundary(NAME)].into()
}
