//! IP packets with a UDP datagram or an echo in them: read and written. Pure.
//!
//! Of IPv4 RFC 791, of IPv6 RFC 8200, of UDP RFC 768, of ICMP RFC 792 and RFC 4443. There are no fragments: the device takes
//! packets of any size. Extension headers of IPv6 are not read, nobody's programs put them before UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ropeway_agent_api::Undelivered;

const V4_HEAD: usize = 20;
const V6_HEAD: usize = 40;
/// Of UDP, and of an echo.
const INNER_HEAD: usize = 8;

const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Of what we write: routers between us and the kernel there are none, and this is what most systems begin with (RFC 1700).
const HOPS: u8 = 64;

/// What is in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Udp,
    /// From a program a request, to it an answer.
    Echo,
}

/// Of an echo the program's port is the identifier, and the other one the sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub kind: Kind,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: &'a [u8],
}

/// What a program has sent; None for everything else. The kernel has made it, so sums are not looked at.
pub fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    let (protocol, from, to, inner) = match packet.first()? >> 4 {
        4 => parse_v4(packet)?,
        6 => parse_v6(packet)?,
        _ => return None,
    };
    let (head, rest) = inner.split_first_chunk::<INNER_HEAD>()?;
    let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (kind, ports, payload) = match (protocol, head) {
        (UDP, _) => (Kind::Udp, (number(0), number(2)), inner.get(INNER_HEAD..number(4).into())?),
        (ICMP, [8, 0, ..]) | (ICMPV6, [128, 0, ..]) => (Kind::Echo, (number(4), number(6)), rest),
        _ => return None,
    };
    Some(Packet { kind, from: SocketAddr::new(from, ports.0), to: SocketAddr::new(to, ports.1), payload })
}

/// An answer to a program: `from` is who has answered. None when it is too long for a packet, or of two families.
pub fn answer(answer: &Packet) -> Option<Vec<u8>> {
    match answer.kind {
        Kind::Udp => {
            let mut inner = ports(answer.from.port(), answer.to.port(), INNER_HEAD + answer.payload.len());
            inner.extend(answer.payload);
            wrap(UDP, answer.from.ip(), answer.to.ip(), inner)
        }
        Kind::Echo => {
            let v4 = answer.to.is_ipv4();
            let mut inner = echo(if v4 { 0 } else { 129 }, answer.to.port(), answer.from.port());
            inner.extend(answer.payload);
            wrap(icmp(v4), answer.from.ip(), answer.to.ip(), inner)
        }
    }
}

/// Tells a program that what it sent to `remote` did not arrive.
pub fn undelivered(kind: Kind, program: SocketAddr, remote: SocketAddr, why: Undelivered) -> Option<Vec<u8>> {
    let v4 = program.is_ipv4();
    // type and code: port, host, administratively prohibited
    let [kind_of, code] = match (v4, why) {
        (true, Undelivered::Refused) => [3, 3],
        (true, Undelivered::Unreachable) => [3, 1],
        (true, Undelivered::Prohibited) => [3, 13],
        (false, Undelivered::Refused) => [1, 4],
        (false, Undelivered::Unreachable) => [1, 0],
        (false, Undelivered::Prohibited) => [1, 1],
    };
    // the packet that it is about, as far as the kernel looks at it to find the program
    let (protocol, sent) = match kind {
        Kind::Udp => (UDP, ports(program.port(), remote.port(), INNER_HEAD)),
        Kind::Echo => (icmp(v4), echo(if v4 { 8 } else { 128 }, program.port(), remote.port())),
    };
    let about = wrap(protocol, program.ip(), remote.ip(), sent)?;
    let inner = [&[kind_of, code, 0, 0, 0, 0, 0, 0], &about[..]].concat();
    wrap(icmp(v4), remote.ip(), program.ip(), inner)
}

type Parts<'a> = (u8, IpAddr, IpAddr, &'a [u8]);

fn parse_v4(packet: &[u8]) -> Option<Parts<'_>> {
    let (head, _) = packet.split_first_chunk::<V4_HEAD>()?;
    let begin = usize::from(head[0] & 0xf) * 4;
    let length = u16::from_be_bytes([head[2], head[3]]);
    let place_in_whole = u16::from_be_bytes([head[6], head[7]]) & 0x3fff; // more fragments, offset
    if place_in_whole != 0 || begin < V4_HEAD {
        return None;
    }
    let ip = |at: usize| Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]).into();
    Some((head[9], ip(12), ip(16), packet.get(begin..length.into())?))
}

fn parse_v6(packet: &[u8]) -> Option<Parts<'_>> {
    let (head, rest) = packet.split_first_chunk::<V6_HEAD>()?;
    let length = u16::from_be_bytes([head[4], head[5]]);
    let ip = |at: usize| Some(Ipv6Addr::from(*head[at..].first_chunk::<16>()?).into());
    Some((head[6], ip(8)?, ip(24)?, rest.get(..length.into())?))
}

fn icmp(v4: bool) -> u8 {
    if v4 { ICMP } else { ICMPV6 }
}

/// The head of a UDP datagram of that length.
fn ports(from: u16, to: u16, length: usize) -> Vec<u8> {
    [from, to, length as u16, 0].into_iter().flat_map(u16::to_be_bytes).collect()
}

fn echo(kind: u8, identifier: u16, sequence: u16) -> Vec<u8> {
    [u16::from(kind) << 8, 0, identifier, sequence].into_iter().flat_map(u16::to_be_bytes).collect()
}

/// A whole packet, with its sums.
fn wrap(protocol: u8, from: IpAddr, to: IpAddr, mut inner: Vec<u8>) -> Option<Vec<u8>> {
    let (mut head, pseudo) = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => v4_head(protocol, from, to, inner.len())?,
        (IpAddr::V6(from), IpAddr::V6(to)) => v6_head(protocol, from, to, inner.len())?,
        _ => return None,
    };
    let at = if protocol == UDP { 6 } else { 2 };
    // ICMP of IPv4 alone has a sum without the addresses
    let covered = if protocol == ICMP { &[][..] } else { &pseudo };
    let sum = match checksum(&[covered, &inner]) {
        0 if protocol == UDP => u16::MAX, // 0 would say that there is none
        sum => sum,
    };
    inner[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    head.append(&mut inner);
    Some(head)
}

/// The head, and what else the inner sum covers.
fn v4_head(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, inner: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let [high, low] = u16::try_from(V4_HEAD + inner).ok()?.to_be_bytes();
    let [inner_high, inner_low] = (inner as u16).to_be_bytes();
    let addresses = [from.octets(), to.octets()].concat();
    let mut head = vec![0x45, 0, high, low, 0, 0, 0, 0, HOPS, protocol, 0, 0];
    head.extend(&addresses);
    let sum = checksum(&[&head]);
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    Some((head, [&addresses[..], &[0, protocol, inner_high, inner_low]].concat()))
}

fn v6_head(protocol: u8, from: Ipv6Addr, to: Ipv6Addr, inner: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    // the whole packet must fit the device's 65 535 bytes
    let [high, low] = u16::try_from(V6_HEAD + inner).map(|whole| whole - V6_HEAD as u16).ok()?.to_be_bytes();
    let addresses = [from.octets(), to.octets()].concat();
    let mut head = vec![0x60, 0, 0, 0, high, low, protocol, HOPS];
    head.extend(&addresses);
    Some((head, [&addresses[..], &[0, 0, high, low, 0, 0, 0, protocol]].concat()))
}

/// RFC 1071. All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 =
        words.map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low))).sum();
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    !(folded as u16)
}

#[cfg(test)]
mod tests;
