#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;

fn mistake(text: &str) -> SubnetError {
    parse(text).map(|subnet| subnet.to_string()).expect_err(text)
}

/// What the span points at.
fn pointed_at(text: &str) -> String {
    let (start, end) = mistake(text).span;
    text.chars().skip(start as usize).take((end - start) as usize).collect()
}

fn suggestion(text: &str) -> Option<String> {
    mistake(text).suggestion
}

#[test]
fn spellings_mean_what_a_person_means() {
    let table = [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10/8", "10.0.0.0/8"),
        ("10.1/16", "10.1.0.0/16"),
        ("192.168.1/24", "192.168.1.0/24"),
        ("0/0", "0.0.0.0/0"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4/32", "1.2.3.4"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("::/0", "::/0"),
        ("::1", "::1"),
        ("fd00::/8", "fd00::/8"),
        ("FD00::5/8", "fd00::/8"),
        ("[fd00::/8]", "fd00::/8"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("192.168.1.5:8000-9000", "192.168.1.5:8000-9000"),
        ("10/8:443", "10.0.0.0/8:443"),
        ("10/8:80,443", "10.0.0.0/8:80,443"),
        ("[fd00::/8]:443", "[fd00::/8]:443"),
        ("[::1/128]:80", "[::1]:80"),
        ("10/8:443,80,443", "10.0.0.0/8:80,443"),
        ("10/8:80,81-90,85-100,200", "10.0.0.0/8:80-100,200"),
        ("10/8:5-5", "10.0.0.0/8:5"),
        ("10/8:1-65535", "10.0.0.0/8:1-65535"),
    ];
    for (typed, means) in table {
        assert_eq!(parse(typed).map(|subnet| subnet.to_string()).as_deref(), Ok(means), "{typed}");
    }
}

#[test]
fn other_bases_are_refused_with_the_dotted_form() {
    let table = [
        ("010.0.0.1", "8.0.0.1"),
        ("10.0.0.010", "10.0.0.8"),
        ("08.1.1.1", "8.1.1.1"),
        ("00.0.0.0/0", "0.0.0.0/0"),
        ("0x0a.0.0.1", "10.0.0.1"),
        ("0x0A000001", "10.0.0.1"),
        ("0x0a000000/8:80", "10.0.0.0/8:80"),
        ("167772161", "10.0.0.1"),
        ("167772160/8", "10.0.0.0/8"),
        ("012.1", "10.0.0.1"),
    ];
    for (typed, dotted) in table {
        assert_eq!(suggestion(typed).as_deref(), Some(dotted), "{typed}");
    }
    assert_eq!(suggestion("4294967296"), None);
    assert_eq!(suggestion("0xzz.1.1.1"), None);
    assert_eq!(pointed_at("10.0.0.010/24"), "010");
    assert_eq!(pointed_at("167772161/8"), "167772161");
}

#[test]
fn a_short_form_without_width_offers_one() {
    assert_eq!(suggestion("10.1").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(suggestion("10").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(suggestion("1.2.3").as_deref(), Some("1.2.3.0/24"));
    assert_eq!(suggestion("0").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(suggestion("10.1:80").as_deref(), Some("10.1.0.0/16:80"));
}

#[test]
fn where_only_a_network_can_stand_a_name_is_a_mistake() {
    for typed in ["db.example.org", "db.example.org/24:5432", "*.corp.example", "my-host", "a.1.2.3", "1a"] {
        assert_eq!(mistake(typed).message, "This is neither an address nor a name.", "{typed}");
    }
    assert_eq!(pointed_at("db.example.org/24:5432"), "db.example.org");
}

#[test]
fn mistakes_point_at_the_place() {
    let table = [
        ("10.0.0.256", "256"),
        ("10.0.0.0/33", "33"),
        ("fd00::/129", "129"),
        ("10.0.0.0/", "/"),
        ("10.0.0.0/x", "x"),
        ("10.0..1", "."),
        ("1.2.3.4.5", ".5"),
        (".1.2.3", "."),
        ("10/8:", ":"),
        ("10/8:0", "0"),
        ("10/8:65536", "65536"),
        ("10/8:99999999999999999999", "99999999999999999999"),
        ("10/8:80,", ","),
        ("10/8:-90", ":"),
        ("10/8:80-", "-"),
        ("10/8:+80", "+80"),
        ("10/8:http", "http"),
        ("10/8:90-80", "90-80"),
        ("10.0.0.1:80:90", "80:90"),
        ("10/8 11/8", " "),
        ("10/8\u{a0}", "\u{a0}"),
        ("10/8,11/8", "8,11/8"),
        ("10,11", ","),
        ("ex\u{e4}mple/8", "\u{e4}"),
        ("\u{ff11}0/8", "\u{ff11}"),
        ("10/8\0", "\0"),
        ("fd00::g", "g"),
        ("fe80::1%eth0", "%eth0"),
        ("[fd00::/8", "["),
        ("[fd00::/8]x", "x"),
        ("fd00::/8]", "8]"),
        ("1::2::3", "1::2::3"),
        ("/8", "/"),
        (":80", ":"),
    ];
    for (typed, wrong) in table {
        assert_eq!(pointed_at(typed), wrong, "{typed}: {}", mistake(typed));
    }
}

#[test]
fn what_was_probably_meant_is_offered() {
    let table = [
        (" 10/8 ", "10/8"),
        ("10/8:", "10/8"),
        ("10/8:90-80", "10/8:80-90"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.1.*.*", "10.1.0.0/16"),
        ("10.*:80", "10.0.0.0/8:80"),
        ("[10.0.0.0/8]:80", "10.0.0.0/8:80"),
        ("[fd00::]/8", "[fd00::/8]"),
        ("[fd00::]/8:443", "[fd00::/8]:443"),
        ("[fd00::/8]443", "[fd00::/8]:443"),
        ("fd00::/8:443", "[fd00::/8]:443"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1/32:80"),
    ];
    for (typed, better) in table {
        assert_eq!(suggestion(typed).as_deref(), Some(better), "{typed}");
    }
}

#[test]
fn nothing_typed_is_a_mistake_too() {
    for typed in ["", " ", "\t\n"] {
        assert!(mistake(typed).message.starts_with("A network is missing"), "{typed:?}");
    }
}

#[test]
fn notes_say_how_much_it_is() {
    let table = [
        ("0/0", "everything, IPv4"),
        ("::/0", "everything, IPv6"),
        ("1.2.3.4", "one address"),
        ("::1", "one address"),
        ("10/8", "16 777 216 addresses"),
        ("10/30", "4 addresses"),
        ("fd00::/96", "4 294 967 296 addresses"),
        ("fd00::/8", "2^120 addresses"),
        ("1.2.3.4:443", "one address, port 443"),
        ("1.2.3.4:80,443", "one address, ports 80 and 443"),
        ("1.2.3.4:80,443,8000-9000", "one address, ports 80, 443 and 8000 to 9000"),
        ("1.2.3.4:8000-9000", "one address, ports 8000 to 9000"),
    ];
    for (typed, note) in table {
        assert_eq!(parse(typed).unwrap().note(), note, "{typed}");
    }
}

#[test]
fn one_route_for_each_range_of_ports() {
    let routes = |typed: &str| parse(typed).unwrap().routes().collect::<Vec<Route>>();
    let net: IpNet = "10.0.0.0/8".parse().unwrap();
    assert_eq!(routes("10/8"), [Route::from(net)]);
    let ranges = [Ports { first: 80, last: 80 }, Ports { first: 8000, last: 9000 }];
    assert_eq!(routes("10/8:8000-9000,80"), ranges.map(|ports| Route { net, ports }));
}

fn any_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0_u8..=32)
        .prop_map(|(bits, width)| Ipv4Net::new_assert(Ipv4Addr::from(bits), width).into());
    let v6 = (any::<u128>(), 0_u8..=128)
        .prop_map(|(bits, width)| Ipv6Net::new_assert(Ipv6Addr::from(bits), width).into());
    prop_oneof![v4, v6]
}

fn any_ports() -> impl Strategy<Value = String> {
    let range = (1..=u16::MAX, 1..=u16::MAX).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
    let one = (1..=u16::MAX).prop_map(|port| port.to_string());
    prop::collection::vec(prop_oneof![range, one], 1..6).prop_map(|list| list.join(","))
}

proptest! {
    #![proptest_config(crate::testing::rounds(256))]

    #[test]
    fn canonical_text_reads_back(net in any_net(), ports in any_ports()) {
        for text in [net.to_string(), format!("[{net}]:{ports}"), format!("{net}:{ports}")] {
            if let Ok(subnet) = parse(&text) {
                prop_assert_eq!(subnet.net(), net.trunc());
                prop_assert_eq!(parse(&subnet.to_string()), Ok(subnet));
            }
        }
        prop_assert!(parse(&net.to_string()).is_ok());
    }

    #[test]
    fn ports_are_exactly_those_named(ports in any_ports(), probe in 1..=u16::MAX) {
        let named = ports.split(',').any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            (first.parse().unwrap()..=last.parse::<u16>().unwrap()).contains(&probe)
        });
        let subnet = parse(&format!("10/8:{ports}")).unwrap();
        prop_assert_eq!(subnet.ports().iter().filter(|ports| ports.range().contains(&probe)).count(), usize::from(named));
    }

    /// Any text, and texts that are nearly networks.
    #[test]
    fn mistakes_are_inside_the_text_and_suggestions_are_right(
        text in prop_oneof![any::<String>(), "[0-9a-fx:./\\[\\],*%-]{0,24}", "\\[?[0-9.]{1,12}/[0-9]{0,3}\\]?:?[0-9,-]{0,8}"]
    ) {
        if let Err(SubnetError { span: (start, end), message, suggestion }) = parse(&text) {
            prop_assert!(start <= end && end as usize <= text.chars().count());
            prop_assert!(message.ends_with('.'));
            prop_assert!(suggestion.is_none_or(|better| parse(&better).is_ok()));
        }
    }
}
