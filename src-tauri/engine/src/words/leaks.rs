//! What went around a tunnel, in words.

use crate::api::{LeakCount, Leaks};

/// "12 packets to your networks went around the tunnel (UDP)."; None when there were none.
pub fn leaks(Leaks { udp, tcp, icmp, other, .. }: &Leaks) -> Option<String> {
    let kinds = [(udp, "UDP"), (tcp, "older connections"), (icmp, "ping"), (other, "other")];
    let some: Vec<(u64, &str)> = kinds
        .iter()
        .map(|(LeakCount { packets, .. }, kind)| (*packets, *kind))
        .filter(|(n, _)| *n > 0)
        .collect();
    let packets = match some.iter().fold(0_u64, |sum, (packets, _)| sum.saturating_add(*packets)) {
        0 => return None,
        1 => "1 packet".to_owned(),
        many => format!("{many} packets"),
    };
    let which = match &some[..] {
        [(_, kind)] => (*kind).to_owned(),
        several => several.iter().map(|(n, kind)| format!("{n} {kind}")).collect::<Vec<_>>().join(", "),
    };
    Some(format!("{packets} to your networks went around the tunnel ({which})."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_is_named_and_several_are_counted() {
        let of = |udp, tcp, icmp| {
            let count = |packets| LeakCount { packets, bytes: 100 * packets };
            leaks(&Leaks { udp: count(udp), tcp: count(tcp), icmp: count(icmp), ..Leaks::default() })
        };
        assert_eq!(of(0, 0, 0), None);
        assert_eq!(of(1, 0, 0).unwrap(), "1 packet to your networks went around the tunnel (UDP).");
        assert_eq!(
            of(9, 0, 3).unwrap(),
            "12 packets to your networks went around the tunnel (9 UDP, 3 ping)."
        );
        assert_eq!(
            of(0, 5, 0).unwrap(),
            "5 packets to your networks went around the tunnel (older connections)."
        );
    }
}
