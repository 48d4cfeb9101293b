//! Who is around: whom this machine's network cards have talked to, and who is connected with it.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::name;
use crate::routing;

/// As much as is read of a table: some 7 000 connections. The kernel writes no more of it than is read, and a busy server's
/// whole table would take long enough to hold up its connections.
const LARGEST: u64 = 1 << 20;

/// `ATF_COM` (`linux/if_arp.h`): the neighbour has answered.
const COMPLETE: u32 = 0x02;
/// `TCP_ESTABLISHED` (`net/tcp_states.h`).
const ESTABLISHED: &str = "01";

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// On the same cable.
    pub neighbours: Vec<Ipv4Addr>,
    /// The neighbours, and whoever is connected and of a network that this machine knows: who visits a public server from
    /// far away is nobody's neighbour.
    pub all: Vec<IpAddr>,
}

/// As Linux tells it; elsewhere nobody is known. The neighbours of IPv6 are told by netlink alone.
pub fn look() -> Around {
    let [arp, v4, v6] = ["arp", "tcp", "tcp6"].map(|table| read(&format!("/proc/net/{table}")));
    around(&arp, &[&v4, &v6], &routing::routes(vec![]).networks)
}

fn read(path: &str) -> String {
    let mut text = vec![];
    let _ = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

fn around(arp: &str, connections: &[&str], networks: &[IpNet]) -> Around {
    let neighbours: Vec<Ipv4Addr> = arp.lines().filter_map(neighbour).collect();
    let peers = connections.iter().flat_map(|table| table.lines()).filter_map(peer);
    let near = |ip: &IpAddr| is_private(*ip) || networks.iter().any(|net| net.contains(ip));
    let mut all: Vec<IpAddr> =
        neighbours.iter().copied().map(IpAddr::from).chain(peers.filter(near)).collect();
    all.retain(|ip| name::is_somewhere(*ip));
    all.sort_unstable();
    all.dedup();
    Around { neighbours, all }
}

/// `10.0.0.1  0x1  0x2  52:54:00:12:35:02  *  eth0`
fn neighbour(line: &str) -> Option<Ipv4Addr> {
    let mut words = line.split_whitespace();
    let (address, flags) = (words.next()?.parse().ok()?, words.nth(1)?);
    let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
    (flags & COMPLETE != 0).then_some(address)
}

/// `0: 0200140A:0016 0400140A:C350 01 …`: words of four bytes, each as a number in the machine's byte order.
fn peer(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace().skip(2);
    let (remote, state) = (words.next()?, words.next()?);
    let (address, _) = remote.split_once(':').filter(|_| state == ESTABLISHED)?;
    let word = |at| address.get(at..at + 8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let words = (0..address.len()).step_by(8).map(word).collect::<Option<Vec<_>>>()?;
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    if let Ok(v4) = <[u8; 4]>::try_from(&*bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(&*bytes).ok().map(|v6| Ipv6Addr::from(v6).to_canonical())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tables_as_the_kernel_writes_them() {
        let arp = "IP address       HW type     Flags       HW address            Mask     Device\n\
                   10.20.0.2        0x1         0x2         4e:1c:00:00:00:01     *        inside\n\
                   10.20.0.77       0x1         0x0         00:00:00:00:00:00     *        inside\n";
        let v4 = "  sl  local_address rem_address   st\n\
                  0: 00000000:0016 00000000:0000 0A 0\n\
                  1: 0100140A:0016 0300140A:C350 01 0\n\
                  2: 0100140A:0016 08080808:C350 01 0\n\
                  3: 0100140A:0016 026433C6:C350 01 0\n";
        let v6 = "  sl  local_address                         remote_address                        st\n\
                  0: 000020FD000000000000000001000000:0016 000020FD000000000000000005000000:C350 01 0\n\
                  1: 0000000000000000FFFF00000100140A:0016 0000000000000000FFFF00000400140A:C350 01 0\n";
        let found = around(arp, &[v4, v6], &["198.51.100.0/24".parse().expect("a network")]);
        assert_eq!(found.neighbours, [Ipv4Addr::new(10, 20, 0, 2)]);
        let all: Vec<String> = found.all.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["10.20.0.2", "10.20.0.3", "10.20.0.4", "198.51.100.2", "fd20::5"]);
    }

    proptest! {
        #[test]
        fn any_text_does_no_harm(text in "([0-9A-Fx:. \n]|.){0,300}") {
            around(&text, &[&text, &format!("0: 0:0 {text} 01")], &[]);
        }
    }
}
