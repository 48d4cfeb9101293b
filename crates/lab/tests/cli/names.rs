//! Names: questions that are answered on the server, names as routes, and what a server knows of its own networks.

use std::{fs, net::IpAddr, time::Duration};

use ropeway_helper_api::Grant;
use ropeway_lab::{
    Family, Host, Lab, Place,
    harness::{Ropeway, lab_or_skip, wait_until},
};

use crate::SOON;

/// Longer than a name server may take to be found silent, and asked again.
const PATIENT: Duration = Duration::from_secs(20);

/// A lab whose private network has names, for somebody who may capture questions.
fn lab_with_names(test: &str) -> Option<Lab> {
    let lab = lab_or_skip(test)?;
    lab.grant(Grant::All).expect("a grant");
    let web = Family::BOTH.map(|family| ("web.corp.test", private(family)));
    let big: Vec<String> = (1..=60).map(|n| format!("10.20.1.{n}")).collect();
    let big = big.iter().map(|address| ("big.corp.test", address.parse().expect("an address")));
    let names: Vec<(&str, IpAddr)> = web.into_iter().chain(big).collect();
    lab.set_private_names(&names).expect("a zone");
    Some(lab)
}

fn private(family: Family) -> IpAddr {
    Place::Private.address(family)
}

fn up(lab: &Lab, args: &[&str]) -> Ropeway {
    Ropeway::connect(lab, Some("server"), args).expect("it connects")
}

/// What `dig` says, with further options.
fn dig(host: &Host, args: &[&str]) -> String {
    let mut command = host.command("dig").expect("dig");
    let output = command.args(["+tries=1", "+time=5"]).args(args).output().expect("dig runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn short(host: &Host, args: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> =
        dig(host, &[&["+short"], args].concat()).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn questions_are_answered_by_the_servers_name_server_and_only_then() {
    let Some(lab) = lab_with_names("dns") else { return };
    let client = lab.client();
    assert!(dig(&client, &["web.corp.test"]).contains("NXDOMAIN"));
    let tunnel = up(&lab, &["--dns", "10.20.0.0/16", "fd20::/48"]);
    assert_eq!(short(&client, &["web.corp.test", "A"]), ["10.20.0.2"]);
    assert_eq!(short(&client, &["web.corp.test", "AAAA"]), ["fd20::2"]);
    let (v4, server) = (private(Family::V4).to_string(), format!("@{}", Place::Hub.address(Family::V6)));
    assert_eq!(short(&client, &[&server, "web.corp.test", "A"]), [v4.as_str()], "whoever is asked");
    assert_eq!(short(&client, &["+tcp", "web.corp.test", "A"]), [v4], "over TCP");
    let page = client.fetch("http://web.corp.test/", SOON).expect("curl runs");
    assert!(page.code == 0 && page.body.contains(lab.word()), "{page:?}");
    drop(tunnel);
    assert!(dig(&client, &["web.corp.test"]).contains("NXDOMAIN"));
}

#[test]
fn answers_come_as_they_are() {
    let Some(lab) = lab_with_names("answers") else { return };
    let client = lab.client();
    let _tunnel = up(&lab, &["--dns", "10.20.0.0/16"]);
    assert!(dig(&client, &["nobody.corp.test"]).contains("NXDOMAIN"));
    assert!(dig(&client, &["broken.corp.test"]).contains("SERVFAIL"));
    assert_eq!(short(&client, &["big.corp.test"]).len(), 60, "cut off, and asked for again over TCP");
    let cut = dig(&client, &["+noedns", "+ignore", "big.corp.test"]);
    assert!(cut.contains("flags: qr aa tc"), "the answer over UDP says so: {cut}");
    assert_eq!(short(&client, &["+bufsize=4096", "+ignore", "big.corp.test"]).len(), 60, "a large datagram");
}

#[test]
fn only_some_domains_or_only_some_servers() {
    let Some(lab) = lab_with_names("split") else { return };
    let client = lab.client();
    let own = [("public.example.test", Place::Hub.address(Family::V4))];
    lab.set_names(&own).expect("a zone");
    {
        let _tunnel = up(&lab, &["--domain", "corp.test", "10.20.0.0/16"]);
        assert_eq!(short(&client, &["web.corp.test", "A"]), ["10.20.0.2"]);
        assert_eq!(short(&client, &["public.example.test"]), ["198.51.100.1"], "by the network's own");
        assert_eq!(short(&client, &["+tcp", "public.example.test"]), ["198.51.100.1"]);
    }
    let _tunnel = up(&lab, &["--ns-hosts", "192.0.2.53", "10.20.0.0/16"]);
    assert_eq!(short(&client, &["@192.0.2.53", "web.corp.test", "A"]), ["10.20.0.2"]);
    assert_eq!(short(&client, &["public.example.test"]), ["198.51.100.1"], "another server is asked");
}

#[test]
fn who_is_to_be_asked_on_the_server_can_be_said() {
    let Some(lab) = lab_with_names("to-ns") else { return };
    let (client, v6) = (lab.client(), private(Family::V6));
    let _tunnel = up(&lab, &["--to-ns", &format!("10.20.99.1,{v6}@53"), "10.20.0.0/16"]);
    let asked = || short(&client, &["+time=15", "web.corp.test", "A"]) == ["10.20.0.2"];
    assert!(asked(), "the first never answers, the second does");
}

#[test]
fn names_are_routes_and_follow_their_addresses() {
    let Some(lab) = lab_with_names("routes") else { return };
    let client = lab.client();
    let tunnel = up(&lab, &["web.corp.test:80", "nobody.corp.test"]);
    let comes = |family: Family| {
        client.fetch(&lab.web_url(family, "/"), SOON).is_ok_and(|page| page.body.contains(lab.word()))
    };
    for family in Family::BOTH {
        assert!(wait_until(PATIENT, || comes(family)), "{family:?}: {:?}", tunnel.lines());
    }
}

#[test]
fn names_below_a_domain_go_through_from_their_first_answer_on() {
    let Some(lab) = lab_with_names("wildcard") else { return };
    let client = lab.client();
    let _tunnel = up(&lab, &["--dns", "*.corp.test"]);
    let page = client.fetch(&lab.web_url(Family::V4, "/"), SOON).expect("curl runs");
    assert_ne!(page.code, 0, "nobody has asked for it yet");
    let page = client.fetch("http://web.corp.test/", SOON).expect("curl runs");
    assert!(page.code == 0 && page.body.contains(lab.word()), "{page:?}");
}

#[test]
fn the_servers_own_networks_go_through_when_they_are_wanted() {
    let Some(lab) = lab_or_skip("auto-nets") else { return };
    let client = lab.client();
    let _tunnel = up(&lab, &["-N"]);
    for family in Family::BOTH {
        let comes = || {
            let page = client.fetch(&lab.web_url(family, "/"), SOON);
            page.is_ok_and(|page| page.body.contains(lab.word()))
        };
        assert!(wait_until(PATIENT, comes), "{family:?}");
    }
}

#[test]
fn a_file_of_networks_is_read_again_when_it_changes() {
    let Some(lab) = lab_or_skip("file") else { return };
    let client = lab.client();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nets");
    fs::write(&file, "10.20.0.0/24 # the web\n").expect("written");
    for path in [folder.path(), &file] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, mode).expect("readable for everybody");
    }
    let _tunnel = up(&lab, &["-s", file.to_str().expect("a path")]);
    let comes = |family: Family| {
        client.fetch(&lab.web_url(family, "/"), SOON).is_ok_and(|page| page.body.contains(lab.word()))
    };
    assert!(comes(Family::V4) && !comes(Family::V6));
    fs::write(&file, "10.20.0.0/24\nfd20::/48\n").expect("written");
    assert!(wait_until(PATIENT, || comes(Family::V6)), "the file has another network");
    assert!(comes(Family::V4));
}

#[test]
fn an_explanation_says_who_takes_it_and_whether_the_server_can_connect() {
    let Some(lab) = lab_with_names("explain") else { return };
    let client = lab.client();
    let ropeway = |args: &[&str]| {
        let program = client.program("ropeway").expect("it is built");
        let output = client.command(program).expect("a command").args(args).output().expect("it runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (ok, said) = ropeway(&["explain", "10.20.0.2:80"]);
    assert!(ok && said.contains("goes its usual way, by eth0") && said.contains("no tunnel is up"), "{said}");
    assert!(ropeway(&["status"]).1.contains("No tunnel is up"));
    let _tunnel = up(&lab, &["--domain", "corp.test", "10.20.0.0/16", "-x", "10.20.99.0/24"]);
    let (ok, said) = ropeway(&["explain", "http://web.corp.test/x"]);
    assert!(ok && said.contains("10.20.0.2 goes through server: it is in 10.20.0.0/16"), "{said}");
    assert!(said.contains("on the server of server: 10.20.0.2, fd20::2"), "{said}");
    assert!(said.contains("the server connects in"), "{said}");
    let (ok, said) = ropeway(&["explain", "10.20.0.2:9"]);
    assert!(ok && said.contains("the server cannot connect: Refused"), "{said}");
    let (ok, said) = ropeway(&["explain", "10.20.99.1"]);
    assert!(ok && said.contains("server leaves it out, by 10.20.99.0/24"), "{said}");
    let (ok, said) = ropeway(&["explain", "a b"]);
    assert!(!ok && said.contains("not part of a name"), "{said}");
    let (ok, said) = ropeway(&["status"]);
    assert!(ok && said.contains("server: Connected"), "{said}");
    let (ok, said) = ropeway(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert!(ok && json[0]["phase"] == "connected", "{said}");
}

/// Cables are pulled, networks come and go, another name server is in charge: what goes through the tunnel does not notice.
#[test]
fn the_network_here_may_change_all_the_time() {
    let Some(lab) = lab_with_names("hammer") else { return };
    let (client, root) = (lab.client(), lab.client().as_root());
    let ip = |args: &[&str]| {
        let output = root.command("ip").expect("a command").args(args).output().expect("ip runs");
        assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let tunnel = up(&lab, &["--domain", "corp.test", "0/0"]);
    for round in 0..12 {
        let near = format!("10.20.{}.0/24", 100 + round);
        let (address, device) = (near.replace(".0/24", ".1/24"), format!("other{round}"));
        ip(&["link", "add", &device, "type", "bridge"]);
        ip(&["addr", "add", &address, "dev", &device]);
        ip(&["link", "set", &device, "up"]);
        let page = client.fetch("http://web.corp.test/", SOON).expect("curl runs");
        assert!(
            page.code == 0 && page.body.contains(lab.word()),
            "round {round}: {page:?} {:?}",
            tunnel.lines()
        );
        ip(&["link", "del", &device]);
    }
    let held = client.fetch(&lab.web_url(Family::V4, "/"), SOON).expect("curl runs");
    assert!(held.body.contains(lab.word()), "{held:?}");
}

#[test]
fn two_tunnels_with_names_of_their_own_do_not_get_in_each_others_way() {
    let Some(lab) = lab_with_names("two-names") else { return };
    let client = lab.client();
    let _one = up(&lab, &["--domain", "corp.test", "10.20.0.0/24"]);
    let two =
        Ropeway::start(&lab, Some("server"), &["--domain", "other.test", "10.20.1.0/24"]).expect("it starts");
    two.wait_for_line("Connected", SOON).expect("it connects, too");
    assert_eq!(short(&client, &["web.corp.test", "A"]), ["10.20.0.2"], "the first still answers");
    drop(two);
    assert_eq!(short(&client, &["web.corp.test", "A"]), ["10.20.0.2"]);
}

/// The server has no IPv6 of its own: programs turn to IPv4 at once, and nothing goes around the tunnel.
#[test]
fn a_family_that_the_server_does_not_have_is_refused_at_once() {
    let Some(lab) = lab_or_skip("one-family") else { return };
    lab.grant(Grant::All).expect("a grant");
    let (client, server) = (lab.client(), lab.server().as_root());
    let gone = server.command("ip").expect("a command").args(["-6", "route", "del", "default"]).status();
    assert!(gone.expect("ip runs").success());
    let outside: IpAddr = "2001:db8:99::1".parse().expect("an address");
    lab.set_private_names(&[("dual.corp.test", private(Family::V4)), ("dual.corp.test", outside)])
        .expect("a zone");
    let tunnel = up(&lab, &["--dns", "0/0", "::/0"]);
    let refused = || client.fetch("http://[2001:db8:99::1]/", SOON).expect("curl runs");
    assert!(wait_until(SOON, || refused().code == 7), "{:?}", refused());
    // behind everything that could refuse it
    let root = client.as_root();
    let nft = |args: &[&str]| {
        let output = root.command("nft").expect("a command").args(args).output().expect("nft runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    nft(&["add table ip6 seen; add chain ip6 seen leaving { type filter hook postrouting priority 300; }; \
         add rule ip6 seen leaving ip6 daddr 2001:db8:99::/64 counter"]);
    let page = client.fetch("http://dual.corp.test/", SOON).expect("curl runs");
    assert!(page.code == 0 && page.body.contains(lab.word()), "{page:?}");
    assert!(page.took < Duration::from_secs(2), "nobody waited for IPv6: {page:?}");
    let left = || nft(&["list table ip6 seen"]);
    assert!(left().contains("counter packets 0"), "{}", left());
    // the counter itself works: without the tunnel they do leave
    drop(tunnel);
    let _ = client.fetch("http://[2001:db8:99::1]/", SOON);
    assert!(!left().contains("counter packets 0"), "{}", left());
}

/// The same name server may be inside the networks whose datagrams are carried: a question to it is still a question.
#[test]
fn questions_are_answered_beside_carried_datagrams() {
    let Some(lab) = lab_with_names("dns-udp") else { return };
    let client = lab.client();
    let _tunnel = up(&lab, &["--dns", "--udp", "10.20.0.0/16"]);
    assert_eq!(short(&client, &["web.corp.test", "A"]), ["10.20.0.2"]);
    assert_eq!(short(&client, &["@10.20.0.2", "web.corp.test", "A"]), ["10.20.0.2"]);
    assert_eq!(short(&client, &["@10.20.0.2", "+tcp", "web.corp.test", "A"]), ["10.20.0.2"]);
}
