//! Where this machine can send packets, from its routing tables.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::{fs, iter};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ropeway_agent_api::Routes;

/// `RTF_UP`, `RTF_REJECT` (linux/route.h)
const UP: u32 = 1;
const REJECT: u32 = 0x200;

/// As Linux tells it; elsewhere nothing is known, and both families are taken for reachable.
pub fn routes(search: Vec<String>) -> Routes {
    let tables = (fs::read_to_string("/proc/net/route"), fs::read_to_string("/proc/net/ipv6_route"));
    if tables.0.is_err() && tables.1.is_err() {
        return Routes { default_v4: true, default_v6: true, search, ..Routes::default() };
    }
    let (v4, v6) = (tables.0.unwrap_or_default(), tables.1.unwrap_or_default());
    Routes { search, ..read(&v4, &v6) }
}

fn read(v4: &str, v6: &str) -> Routes {
    let all: Vec<IpNet> = v4
        .lines()
        .filter_map(line_v4)
        .map(IpNet::V4)
        .chain(v6.lines().filter_map(line_v6).map(IpNet::V6))
        .collect();
    let has_default = |v4: bool| all.iter().any(|net| net.prefix_len() == 0 && net.addr().is_ipv4() == v4);
    let mut networks: Vec<IpNet> = all.iter().copied().filter(means_something).collect();
    networks.sort_unstable();
    networks.dedup();
    networks.truncate(Routes::MAX);
    Routes { default_v4: has_default(true), default_v6: has_default(false), networks, search: vec![] }
}

/// `eth0  0000000A  0100000A  0003  0  0  100  000000FF  0  0  0`: the addresses are in the machine's byte order.
fn line_v4(line: &str) -> Option<Ipv4Net> {
    let mut words = line.split_whitespace().skip(1);
    let mut hex = |skip| u32::from_str_radix(words.nth(skip)?, 16).ok();
    let (address, flags, mask) = (hex(0)?, hex(1)?, hex(3)?);
    let of = |number: u32| Ipv4Addr::from(number.to_ne_bytes());
    let usable = flags & UP != 0 && flags & REJECT == 0;
    usable.then(|| Ipv4Net::with_netmask(of(address), of(mask)).ok())?
}

/// `fd00…0000 40 00…00 00 fe80…01 00000064 00000001 00000000 00000003 eth0`
fn line_v6(line: &str) -> Option<Ipv6Net> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [address, width, _, _, _, _, _, _, flags, interface] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
    let usable = flags & UP != 0 && flags & REJECT == 0 && interface != "lo";
    usable.then(|| Ipv6Net::new(address, u8::from_str_radix(width, 16).ok()?).ok())?
}

/// Not the default, and not what is another thing on every machine.
fn means_something(net: &IpNet) -> bool {
    let local = [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)),
    ];
    net.prefix_len() != 0 && !iter::once(net).any(|net| local.iter().any(|local| local.contains(net)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tables_as_the_kernel_writes_them() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                  eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth0\t0000140A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                  eth0\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                  *\t0000160A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let zero = "0".repeat(32);
        let v6 = [
            format!("fd200000000000000000000000000000 30 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0"),
            format!("fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0"),
            format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo"),
        ]
        .join("\n");
        let found = read(v4, &v6);
        assert_eq!((found.default_v4, found.default_v6), (true, false));
        let networks: Vec<String> = found.networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.20.0.0/16", "fd20::/48"]);
    }

    #[test]
    fn any_text_is_no_harm() {
        assert_eq!(read("x\neth0 zz\n\n", "a b c\n"), Routes::default());
    }
}
