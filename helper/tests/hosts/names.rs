//! Which names a session may have.

use std::{collections::HashSet, net::IpAddr};

use ropeway_helper::hosts::names::{BadList, Circumstances, check};
use ropeway_helper_api::{
    HostEntry,
    HostRefusal::{self, Address, Reserved, Suffix, Syntax, Taken, TakenBySession},
    Hosts,
    hosts::limit,
};

#[test]
fn names_without_a_dot_or_with_a_suffix_of_the_profile_are_accepted() {
    for name in
        ["db", "db-1", "9lives", "db.corp.example", "a.b.corp.example", "x.other.example", "0xyz", "intranet"]
    {
        assert_eq!(refusal(name), None, "{name}");
    }
    assert_eq!(refusal("bank.example"), Some(Suffix));
    assert_eq!(refusal("corp.example"), Some(Suffix));
    assert_eq!(refusal("notcorp.example"), Some(Suffix));
    assert_eq!(refusal("db.corp.example.evil.example"), Some(Suffix));
}

#[test]
fn only_host_names_are_names() {
    let long_label = "a".repeat(64);
    let long_name = format!("{}corp.example", "a.".repeat(121));
    for name in [
        "",
        ".",
        "a.",
        ".a",
        "a..corp.example",
        "-a",
        "a-",
        "a b",
        "a\tb",
        "a\nb",
        "a\n1.1.1.1 bank",
        "a\r",
        "a#",
        "a\0",
        "ä",
        "a_b",
        "1",
        "12",
        "1.2.3.4",
        "0x7f000001",
        "0X1",
        "db.corp.example.",
        "# ropeway 1: end",
        &long_label,
        &long_name,
    ] {
        assert_eq!(refusal(name), Some(Syntax), "{name:?}");
    }
}

#[test]
fn names_of_this_computer_and_of_automatic_proxies_are_not_given() {
    for name in [
        "localhost",
        "LocalHost",
        "localhost.localdomain",
        "localhost.corp.example",
        "db.localhost",
        "localhost6",
        "ip6-localhost",
        "ip6-anything",
        "broadcasthost",
        "wpad",
        "WPAD.corp.example",
        "isatap",
        "Laptop",
        "laptop.home.arpa",
    ] {
        assert_eq!(refusal(name), Some(Reserved), "{name}");
    }
    assert_eq!(refusal("laptop2"), None);
}

#[test]
fn addresses_are_hosts_inside_the_routes() {
    let accept_all = |_: IpAddr| true;
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
    ] {
        let hosts = list(&[("db", address)]);
        assert_eq!(checked(&hosts, &accept_all).1, [refused("db", Address)], "{address}");
    }
    let hosts = list(&[("inside", "10.1.2.3"), ("outside", "11.1.2.3"), ("six", "fd00::1")]);
    let (accepted, left_out) = checked(&hosts, &inside);
    assert_eq!(accepted, list(&[("inside", "10.1.2.3"), ("six", "fd00::1")]).entries);
    assert_eq!(left_out, [refused("outside", Address)]);
}

#[test]
fn names_that_the_file_has_stay_with_the_file() {
    assert_eq!(refusal("printer"), Some(Taken));
    assert_eq!(refusal("PRINTER"), Some(Taken));
}

#[test]
fn names_of_an_earlier_session_stay_with_it_unless_both_mean_the_same() {
    let earlier = list(&[("shared", "10.0.0.1"), ("shared", "fd00::1")]).entries;
    let file = HashSet::new();
    let circumstances =
        Circumstances { inside: &inside, file: &file, earlier: &[&earlier], machine: "laptop" };
    let hosts = list(&[("Shared", "10.0.0.1"), ("shared", "fd00::2")]);
    let (accepted, left_out) = checked_in(&hosts, &circumstances);
    assert_eq!(accepted, list(&[("shared", "10.0.0.1")]).entries);
    assert_eq!(left_out, [refused("shared", TakenBySession)]);
}

#[test]
fn the_first_address_of_each_family_counts_and_names_become_small() {
    let hosts = list(&[("DB", "10.0.0.1"), ("db", "10.0.0.2"), ("db", "fd00::1"), ("db", "10.0.0.1")]);
    let (accepted, left_out) = checked(&hosts, &inside);
    assert_eq!(accepted, list(&[("db", "10.0.0.1"), ("db", "fd00::1")]).entries);
    assert_eq!(left_out, []);
}

#[test]
fn a_suffix_may_be_one_word_that_is_nobodys_country() {
    let hosts =
        Hosts { suffixes: vec!["Work".into()], ..list(&[("db.work", "10.0.0.1"), ("work", "10.0.0.1")]) };
    assert_eq!(checked(&hosts, &inside).1, []);
    let hosts = Hosts { suffixes: vec!["work".into()], ..list(&[("db.network", "10.0.0.1")]) };
    assert_eq!(checked(&hosts, &inside).1, [refused("db.network", Suffix)]);
}

#[test]
fn a_refusal_says_which_of_two_addresses_it_is_about() {
    let hosts = list(&[("db", "11.0.0.1"), ("db", "10.0.0.1")]);
    let circumstances =
        Circumstances { inside: &inside, file: &HashSet::new(), earlier: &[], machine: "laptop" };
    let (accepted, left_out) = check(&hosts, &circumstances).unwrap();
    assert_eq!(accepted, list(&[("db", "10.0.0.1")]).entries);
    assert_eq!(left_out[0].address, "11.0.0.1".parse::<IpAddr>().unwrap());
}

#[test]
fn a_list_beyond_the_limits_is_refused_as_a_whole() {
    for suffix in ["", "com", "DE", ".com", "corp.example.", "*.example", "a b.example", "corp.1"] {
        let hosts = Hosts { suffixes: vec![suffix.into()], entries: vec![] };
        assert_eq!(error(&hosts), BadList::Suffix(suffix.into()), "{suffix}");
    }
    let entry = HostEntry { name: "a".into(), address: "10.0.0.1".parse().unwrap() };
    let hosts = Hosts { suffixes: vec![], entries: vec![entry; limit::ENTRIES + 1] };
    assert_eq!(error(&hosts), BadList::TooManyEntries(limit::ENTRIES + 1));
    let hosts = Hosts { suffixes: vec!["corp.example".into(); limit::SUFFIXES + 1], entries: vec![] };
    assert_eq!(error(&hosts), BadList::TooManySuffixes(limit::SUFFIXES + 1));
}

#[test]
fn a_refusal_repeats_no_more_than_a_name_can_have() {
    let name = "ä".repeat(limit::NAME);
    let (_, left_out) = checked(&list(&[(&name, "10.0.0.1")]), &inside);
    assert_eq!(left_out, [refused(&"ä".repeat(limit::NAME / 2), Syntax)]);
}

fn refusal(name: &str) -> Option<HostRefusal> {
    let (accepted, left_out) = checked(&list(&[(name, "10.1.2.3")]), &inside);
    assert_eq!(accepted.len() + left_out.len(), 1);
    left_out.first().map(|(_, why)| *why)
}

fn checked(hosts: &Hosts, inside: &dyn Fn(IpAddr) -> bool) -> (Vec<HostEntry>, Vec<(String, HostRefusal)>) {
    let file = HashSet::from([b"printer".to_vec()]);
    checked_in(hosts, &Circumstances { inside, file: &file, earlier: &[], machine: "Laptop.home.arpa" })
}

fn checked_in(hosts: &Hosts, all: &Circumstances) -> (Vec<HostEntry>, Vec<(String, HostRefusal)>) {
    let (accepted, left_out) = check(hosts, all).unwrap();
    (accepted, left_out.into_iter().map(|host| (host.name, host.why)).collect())
}

fn error(hosts: &Hosts) -> BadList {
    let circumstances =
        Circumstances { inside: &inside, file: &HashSet::new(), earlier: &[], machine: "laptop" };
    check(hosts, &circumstances).unwrap_err()
}

/// `10.0.0.0/8` and `fd00::/8`.
fn inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.octets()[0] == 0xfd,
    }
}

fn list(entries: &[(&str, &str)]) -> Hosts {
    let entry = |(name, address): &(&str, &str)| HostEntry {
        name: (*name).into(),
        address: address.parse().unwrap(),
    };
    let suffixes = ["corp.example", "Other.Example", "home.arpa"];
    Hosts { suffixes: suffixes.map(String::from).into(), entries: entries.iter().map(entry).collect() }
}

fn refused(name: &str, why: HostRefusal) -> (String, HostRefusal) {
    (name.into(), why)
}
