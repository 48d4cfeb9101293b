//! The networks that this computer is in: its printers and neighbours stay reachable, whatever goes through.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags, sys::socket::SockaddrStorage};

use crate::subnet::Subnet;

/// Of all interfaces that are up, but for this machine's own loopback and for tunnels: what is behind those is far away.
pub fn networks() -> BTreeSet<Subnet> {
    let Ok(all) = getifaddrs() else { return BTreeSet::new() };
    let near = all.filter(|it| {
        it.flags.contains(InterfaceFlags::IFF_UP)
            && !it.flags.intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT)
    });
    near.filter_map(|it| network(ip(&it.address?)?, ip(&it.netmask?)?)).map(Subnet::from).collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = || Some(IpAddr::V4(address.as_sockaddr_in()?.ip()));
    let v6 = || Some(IpAddr::V6(address.as_sockaddr_in6()?.ip()));
    v4().or_else(v6)
}

/// None for a network of one address, and for link-local ones: those have no routes through any tunnel.
fn network(address: IpAddr, mask: IpAddr) -> Option<IpNet> {
    let width = ipnet::ip_mask_to_prefix(mask).ok()?;
    let net = match address {
        IpAddr::V4(ip) if !ip.is_link_local() => IpNet::V4(Ipv4Net::new(ip, width).ok()?),
        IpAddr::V6(ip) if !is_link_local(ip) => IpNet::V6(Ipv6Net::new(ip, width).ok()?),
        _ => return None,
    };
    (net.prefix_len() < net.max_prefix_len() && net.prefix_len() > 0).then(|| net.trunc())
}

/// `fe80::/10` (RFC 4291, 2.5.6)
fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_the_mask_leaves() {
        let of = |address: &str, mask: &str| {
            network(address.parse().unwrap(), mask.parse().unwrap()).map(|net| net.to_string())
        };
        assert_eq!(of("192.168.1.7", "255.255.255.0").as_deref(), Some("192.168.1.0/24"));
        assert_eq!(of("fd00:1::7", "ffff:ffff:ffff:ffff::").as_deref(), Some("fd00:1::/64"));
        assert_eq!(of("10.0.0.1", "255.255.255.255"), None);
        assert_eq!(of("169.254.1.1", "255.255.0.0"), None);
        assert_eq!(of("fe80::1", "ffff:ffff:ffff:ffff::"), None);
    }
}
