//! Any bytes do no harm, and what is written reads back, with sums that are right.

use proptest::prelude::*;

use super::*;

fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = (any::<Ipv4Addr>(), any::<Ipv4Addr>()).prop_map(|(a, b)| (IpAddr::V4(a), IpAddr::V4(b)));
    let v6 = (any::<Ipv6Addr>(), any::<Ipv6Addr>()).prop_map(|(a, b)| (IpAddr::V6(a), IpAddr::V6(b)));
    (prop_oneof![v4, v6], any::<u16>(), any::<u16>())
        .prop_map(|((a, b), from, to)| (SocketAddr::new(a, from), SocketAddr::new(b, to)))
}

/// The sum over everything that is covered, the sum's own place included, is 0.
fn is_sound(packet: &[u8]) -> bool {
    let v4 = packet[0] >> 4 == 4;
    let (head, inner) = packet.split_at(if v4 { V4_HEAD } else { V6_HEAD });
    let protocol = head[if v4 { 9 } else { 6 }];
    let length = (inner.len() as u32).to_be_bytes();
    let addresses = if v4 { &head[12..20] } else { &head[8..40] };
    let covered = if protocol == ICMP { &[][..] } else { addresses };
    let more =
        if protocol == ICMP { [0; 6] } else { [length[0], length[1], length[2], length[3], 0, protocol] };
    (!v4 || checksum(&[head]) == 0) && checksum(&[covered, &more, inner]) == 0
}

proptest! {
    #[test]
    fn any_bytes_are_a_packet_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0x44..0x70_u8) {
        let _ = parse(&bytes);
        let mut bytes = bytes;
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        if let Some(packet) = parse(&bytes) {
            prop_assert!(packet.payload.len() <= bytes.len());
        }
    }

    #[test]
    fn what_is_written_reads_back(
        (from, to) in ends(), payload in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let udp = Packet { kind: Kind::Udp, from, to, payload: &payload };
        let bytes = answer(&udp).expect("it fits");
        prop_assert_eq!(parse(&bytes), Some(udp));
        prop_assert!(is_sound(&bytes));
        let bytes = answer(&Packet { kind: Kind::Echo, ..udp }).expect("it fits");
        prop_assert!(is_sound(&bytes));
        prop_assert_eq!(parse(&bytes), None, "an answer is no request");
    }

    #[test]
    fn a_refusal_names_the_packet((program, remote) in ends(), echo in any::<bool>()) {
        let kind = if echo { Kind::Echo } else { Kind::Udp };
        for why in [Undelivered::Refused, Undelivered::Unreachable, Undelivered::Prohibited] {
            let bytes = undelivered(kind, program, remote, why).expect("one family");
            prop_assert!(is_sound(&bytes));
            let head = if program.is_ipv4() { V4_HEAD } else { V6_HEAD };
            let about = parse(&bytes[head + INNER_HEAD..]).expect("a packet");
            prop_assert_eq!((about.kind, about.from, about.to), (kind, program, remote));
        }
    }
}

#[test]
fn the_largest_datagrams_fit_and_larger_ones_do_not() {
    for (address, largest) in [("10.0.0.1:1", 65_507), ("[fd00::1]:1", 65_487)] {
        let at: SocketAddr = address.parse().unwrap();
        let whole = vec![7; largest + 1];
        let packet =
            |length: usize| answer(&Packet { kind: Kind::Udp, from: at, to: at, payload: &whole[..length] });
        assert_eq!(packet(largest).map(|bytes| bytes.len()), Some(65_535));
        assert_eq!(packet(largest + 1), None);
    }
}

#[test]
fn fragments_and_other_protocols_are_not_ours() {
    let at: SocketAddr = "10.0.0.1:1".parse().unwrap();
    let bytes = answer(&Packet { kind: Kind::Udp, from: at, to: at, payload: b"x" }).unwrap();
    for (place, value) in [(6, 0x20), (7, 1), (9, 6), (0, 0x44), (2, 0xff)] {
        let mut other = bytes.clone();
        other[place] = value;
        assert_eq!(parse(&other), None, "{place}");
    }
}
