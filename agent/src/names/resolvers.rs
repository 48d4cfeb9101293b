//! The server's own name servers, as its resolv.conf has them now.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;
use std::{fs, mem};

/// RFC 1035.
const PORT: u16 = 53;
/// As many as resolvers ask (`MAXNS` in resolv.h).
const SERVERS: usize = 3;
/// More than anybody has; a file may be anything.
const DOMAINS: usize = 32;

#[derive(Debug, Default)]
pub struct Resolvers {
    file: PathBuf,
    read_at: Option<SystemTime>,
    servers: Vec<SocketAddr>,
    search: Vec<String>,
}

impl Resolvers {
    pub fn of_this_machine() -> Self {
        Self::new("/etc/resolv.conf".into())
    }

    pub fn new(file: PathBuf) -> Self {
        Self { file, ..Self::default() }
    }

    pub fn servers(&mut self) -> &[SocketAddr] {
        self.refresh();
        &self.servers
    }

    pub fn search(&mut self) -> &[String] {
        self.refresh();
        &self.search
    }

    /// Looks at the file's date each time: one call to the kernel, and a network that changed is known at once.
    fn refresh(&mut self) {
        let changed = fs::metadata(&self.file).and_then(|data| data.modified()).ok();
        if self.read_at == changed && changed.is_some() {
            return;
        }
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let file = mem::take(&mut self.file);
        *self = Self { file, read_at: changed, ..parse(&text) };
    }
}

fn parse(text: &str) -> Resolvers {
    let mut found = Resolvers::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => found.servers.extend(words.next().and_then(address)),
            // the last one counts (resolv.conf(5))
            Some("search" | "domain") => {
                found.search = words.take(DOMAINS).map(|word| word.trim_matches('.').to_owned()).collect();
                found.search.retain(|domain| !domain.is_empty());
            }
            _ => {}
        }
    }
    if found.servers.is_empty() {
        // what every resolver does then
        found.servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    }
    found.servers.truncate(SERVERS);
    found
}

/// Also `fe80::1%eth0`.
fn address(word: &str) -> Option<SocketAddr> {
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, PORT));
    }
    let (ip, interface) = word.split_once('%')?;
    let index = interface.parse().ok().or_else(|| nix::net::if_::if_nametoindex(interface).ok())?;
    Some(std::net::SocketAddrV6::new(ip.parse().ok()?, PORT, 0, index).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_as_people_have_it() {
        let found = parse(
            "# made by hand\noptions edns0\nnameserver 10.0.0.53\nnameserver fd00::53\n; nameserver 9.9.9.9\n\
             nameserver x\nsearch old.example\nsearch corp.example. lab.example\nnameserver fe80::1%1\nnameserver 1.1.1.1\n",
        );
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.53:53", "[fd00::53]:53", "[fe80::1%1]:53"]);
        assert_eq!(found.search, ["corp.example", "lab.example"]);
    }

    #[test]
    fn without_a_server_it_is_this_machine() {
        assert_eq!(parse("").servers, ["127.0.0.1:53".parse().expect("an address")]);
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("resolv.conf");
        let mut resolvers = Resolvers::new(file.clone());
        assert_eq!(resolvers.servers()[0].port(), PORT, "it is not there yet");
        for (number, second) in [(1_u8, 1), (2, 2)] {
            fs::write(&file, format!("nameserver 10.0.0.{number}")).expect("written");
            let date = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            fs::File::open(&file).and_then(|file| file.set_modified(date)).expect("dated");
            assert_eq!(resolvers.servers()[0].ip(), IpAddr::from([10, 0, 0, number]));
        }
    }
}
