//! `resolv.conf`, as resolvers read it (resolv.conf(5)).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// RFC 1035.
const PORT: u16 = 53;
/// As many as resolvers ask (`MAXNS` in resolv.h).
const SERVERS: usize = 3;
/// More than anybody has; a file may be anything.
const DOMAINS: usize = 32;

/// What is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// At most three, in the file's order. Empty: a resolver asks this machine then.
    pub servers: Vec<SocketAddr>,
    /// Domains that are tried for short names.
    pub search: Vec<String>,
}

impl ResolvConf {
    /// Lines that cannot be understood are passed over. `index` tells the number of a network interface.
    pub fn parse(text: &str, index: impl Fn(&str) -> Option<u32>) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    found.servers.extend(words.next().and_then(|word| address(word, &index)));
                }
                // the last one counts
                Some("search" | "domain") => {
                    found.search =
                        words.take(DOMAINS).map(|word| word.trim_matches('.').to_owned()).collect();
                    found.search.retain(|domain| !domain.is_empty());
                }
                _ => {}
            }
        }
        found.servers.truncate(SERVERS);
        found
    }
}

/// Also `fe80::1%eth0`.
fn address(word: &str, index: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, PORT));
    }
    let (ip, interface) = word.split_once('%')?;
    let scope = interface.parse().ok().or_else(|| index(interface))?;
    Some(SocketAddrV6::new(ip.parse().ok()?, PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_as_people_have_it() {
        let text = "# made by hand\noptions edns0\nnameserver 127.0.0.53 # stub\nnameserver fd00::53\n; nameserver 9.9.9.9\n\
                    nameserver x\nnameserver\nsearch old.example\nsearch corp.example. lab.example\nnameserver fe80::1%eth0\n\
                    nameserver 1.1.1.1\n";
        let found = ResolvConf::parse(text, |name| (name == "eth0").then_some(7));
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.53:53", "[fd00::53]:53", "[fe80::1%7]:53"]);
        assert_eq!(found.search, ["corp.example", "lab.example"]);
    }
}
