//! How much a network is, in words.

use ipnet::IpNet;
use ropeway_helper_api::Ports;

use super::Subnet;

/// "16 777 216 addresses, ports 80 and 443"
pub fn note(subnet: &Subnet) -> String {
    let size = size(subnet.net());
    ports(subnet.ports()).map_or_else(|| size.clone(), |ports| format!("{size}, {ports}"))
}

/// "ports 80 and 443"; None for all.
pub fn ports(ports: &[Ports]) -> Option<String> {
    (!ports.is_empty()).then(|| listed(ports))
}

/// Beyond this many bits a number of addresses says nothing to anybody.
const COUNTABLE_BITS: u8 = 32;

fn size(net: IpNet) -> String {
    let bits = net.max_prefix_len() - net.prefix_len();
    match (net, bits) {
        (IpNet::V4(_), 32) => "everything, IPv4".into(),
        (IpNet::V6(_), 128) => "everything, IPv6".into(),
        (_, 0) => "one address".into(),
        (_, bits) if bits <= COUNTABLE_BITS => format!("{} addresses", grouped(1 << bits)),
        (_, bits) => format!("2^{bits} addresses"),
    }
}

/// 16777216 as "16 777 216".
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into()).collect();
    groups.join(" ")
}

fn listed(ports: &[Ports]) -> String {
    let words: Vec<String> = ports.iter().copied().map(range).collect();
    match words.as_slice() {
        [one] if ports[0].first == ports[0].last => format!("port {one}"),
        [one] => format!("ports {one}"),
        [first @ .., last] => format!("ports {} and {last}", first.join(", ")),
        [] => "all ports".into(),
    }
}

fn range(ports: Ports) -> String {
    let Ports { first, last } = ports;
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}
