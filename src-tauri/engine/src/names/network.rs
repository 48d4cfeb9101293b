//! The name servers of the network that this computer is in, as it would ask them without a tunnel.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use nix::{net::if_::if_nametoindex, unistd::User};
use ropeway_agent_api::resolv_conf::ResolvConf;

/// systemd-resolved's own addresses (systemd-resolved.service(8)): what it asks itself stands in another file. Its own questions
/// may be captured, too, so asking it would lead back here.
const STUBS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 53), Ipv4Addr::new(127, 0, 0, 54)];

/// Read anew each time: networks change.
pub fn servers() -> Vec<SocketAddr> {
    behind_stub(read("/etc/resolv.conf"), || read("/run/systemd/resolve/resolv.conf"))
}

/// The user that systemd-resolved runs as (its unit's `User=`), where there is such a user.
pub fn resolver() -> Option<u32> {
    User::from_name("systemd-resolve").ok().flatten().map(|user| user.uid.as_raw())
}

fn read(file: &str) -> Vec<SocketAddr> {
    let text = fs::read_to_string(file).unwrap_or_default();
    ResolvConf::parse(&text, |name| if_nametoindex(name).ok()).servers
}

fn behind_stub(servers: Vec<SocketAddr>, behind: impl FnOnce() -> Vec<SocketAddr>) -> Vec<SocketAddr> {
    let stub = |server: &SocketAddr| STUBS.iter().any(|stub| server.ip() == IpAddr::V4(*stub));
    if !servers.iter().all(stub) {
        return servers;
    }
    Some(behind()).filter(|behind| !behind.is_empty()).unwrap_or(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_behind_the_stub_is_asked() {
        let (stub, real) = ("127.0.0.53:53".parse().unwrap(), "192.0.2.53:53".parse().unwrap());
        assert_eq!(behind_stub(vec![stub], || vec![real]), [real]);
        assert_eq!(behind_stub(vec![stub], Vec::new), [stub]);
        assert_eq!(behind_stub(vec![real], || panic!("nobody is behind it")), [real]);
    }
}
