//! Names of computers near the server: they are there while the tunnel is, and the hosts file is as it was afterwards.

use std::{net::UdpSocket, thread, time::Duration};

use nix::sys::signal::Signal;
use ropeway_helper_api::Grant;
use ropeway_lab::{
    Family, Lab, Place,
    harness::{Ropeway, lab_or_skip, wait_until},
};

use crate::{GONE, PRIVATE, SOON, assert_nothing_stays, assert_works};

/// In the lab's own zone; `test` is never anybody's (RFC 2606).
const DOMAIN: &str = "corp.test";

/// A `NetBIOS` name takes 15 bytes, filled with blanks.
const OWN_NAME: &[u8; 15] = b"FILESRV        ";

#[test]
fn names_near_the_server_lead_there_while_the_tunnel_is_up() {
    let Some(lab) = with_names("names-up") else { return };
    let mut ropeway = tunnel(&lab, &["-H", "--seed-hosts", "wiki"]);
    wait_for_names(&lab, &["10.20.0.2 db ", "10.20.0.2 files ", "10.20.0.2 wiki ", "fd20::2 wiki "]);
    for name in ["db", "wiki", "files"] {
        let page = lab.client().fetch(&format!("http://{name}/"), SOON).expect("curl runs");
        assert!(page.code == 0 && page.body.contains(lab.word()), "{name}: {page:?}");
    }
    let said = lab.client().command("getent").expect("the client is up").args(["ahosts", "db"]).output();
    let said = String::from_utf8(said.expect("getent runs").stdout).expect("text");
    assert!(said.contains("10.20.0.2"), "{said}");
    let file = lab.client().hosts_file().expect("the client has one");
    assert!(file.starts_with(ropeway_lab::HOSTS), "what was there is there: {file}");
    assert!(!file.contains("laptop"), "an address outside the networks has no name: {file}");
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

#[test]
fn a_computers_own_name_is_asked_of_itself() {
    let Some(lab) = with_names("names-own") else { return };
    let socket = lab.private().run(|| UdpSocket::bind("10.20.0.2:137")).expect("it is up").expect("a port");
    let _answers = thread::spawn(move || tell_own_name(&socket));
    let _ropeway = tunnel(&lab, &["-H"]);
    wait_for_names(&lab, &["10.20.0.2 filesrv "]);
}

#[test]
fn names_go_with_a_killed_ropeway_and_a_killed_helper_and_come_back_with_it() {
    let Some(lab) = with_names("names-kill") else { return };
    let mut ropeway = tunnel(&lab, &["-H"]);
    wait_for_names(&lab, &["10.20.0.2 db "]);
    let seen = ropeway.lines().len();
    crate::death::kill_helper(&lab);
    ropeway.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    wait_for_names(&lab, &["10.20.0.2 db "]);
    ropeway.signal(Signal::SIGKILL).expect("it runs");
    ropeway.wait_for_end(SOON).expect("nobody survives that");
    assert_nothing_stays(&lab);
}

#[test]
fn names_come_back_with_a_new_login() {
    let Some(lab) = with_names("names-again") else { return };
    let ropeway = tunnel(&lab, &["-H"]);
    wait_for_names(&lab, &["10.20.0.2 db "]);
    let seen = ropeway.lines().len();
    crate::death::kill_master(&lab);
    ropeway.wait_for_line_after(seen, "Reconnecting", GONE).expect("it is told");
    ropeway.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    wait_for_names(&lab, &["10.20.0.2 db "]);
    drop(ropeway);
    assert_nothing_stays(&lab);
}

#[test]
fn of_two_tunnels_the_first_keeps_a_name() {
    let Some(lab) = with_names("names-two") else { return };
    let mut first = tunnel(&lab, &["-H"]);
    wait_for_names(&lab, &["10.20.0.2 db "]);
    lab.add_to_hosts_file(Place::Server, "198.51.100.1 db\n198.51.100.1 hub\n").expect("a file");
    let mut second = Ropeway::connect(&lab, Some("server"), &["-H", "198.51.100.1/32"]).expect("it connects");
    wait_for_names(&lab, &["10.20.0.2 db ", "198.51.100.1 hub "]);
    assert!(!lab.client().hosts_file().expect("the client has one").contains("198.51.100.1 db "));
    first.signal(Signal::SIGTERM).expect("it runs");
    first.wait_for_end(SOON).expect("it ends");
    wait_for_names(&lab, &["198.51.100.1 hub "]);
    assert!(!lab.client().hosts_file().expect("the client has one").contains("10.20.0.2"));
    second.signal(Signal::SIGTERM).expect("it runs");
    second.wait_for_end(SOON).expect("it ends");
    assert_nothing_stays(&lab);
}

#[test]
fn who_may_not_change_names_is_told_and_has_a_tunnel() {
    let Some(lab) = lab_or_skip("names-own-grant") else { return };
    lab.add_to_hosts_file(Place::Server, "10.20.0.2 db\n").expect("a file");
    let ropeway = tunnel(&lab, &["-H"]);
    ropeway.wait_for_line("E-NOT-GRANTED", SOON).expect("it is told");
    assert_works(&lab, Family::V4);
    assert_eq!(lab.client().hosts_file().expect("the client has one"), ropeway_lab::HOSTS);
}

#[test]
fn the_search_alone_prints_names_and_the_next_one_has_them_at_once() {
    let Some(lab) = with_names("hostwatch") else { return };
    let mut search = Ropeway::hostwatch(&lab, "server", &["--seed-hosts", "wiki"]).expect("it starts");
    for line in [
        "db.corp.test,10.20.0.2",
        "files.corp.test,10.20.0.2",
        "wiki,fd20::2",
        "laptop.corp.test,198.51.100.2",
    ] {
        search.wait_for_line(line, SOON).expect("it is found");
    }
    assert_eq!(lab.client().hosts_file().expect("the client has one"), ropeway_lab::HOSTS, "nothing is set");
    let cache = lab.server().home_of_lab_user().join(".cache/ropeway/names-nearby");
    let saved = || std::fs::read_to_string(&cache).is_ok_and(|text| text.contains("files.corp.test"));
    assert!(wait_until(SOON, saved), "it is remembered");
    search.signal(Signal::SIGINT).expect("it runs");
    assert!(search.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
    lab.set_names(&[]).expect("an empty zone");
    let search = Ropeway::hostwatch(&lab, "server", &[]).expect("it starts");
    search.wait_for_line("files.corp.test,10.20.0.2", SOON).expect("it is remembered");
}

/// With a database in the server's hosts file, and others that the server's name server knows.
fn with_names(test: &str) -> Option<Lab> {
    let lab = lab_or_skip(test)?;
    lab.grant(Grant::All).expect("a grant");
    lab.add_to_hosts_file(Place::Server, "10.20.0.2 db.corp.test db\n").expect("a file");
    lab.give_name_server(Place::Server, DOMAIN).expect("a file");
    let (private, client) = (lab.private(), lab.client());
    let mut names = vec![("laptop.corp.test", client.address(Family::V4))];
    for family in Family::BOTH {
        names.extend(["files.corp.test", "wiki.corp.test"].map(|name| (name, private.address(family))));
    }
    lab.set_names(&names).expect("a zone");
    // whom the server has talked to it knows
    lab.server().fetch(&lab.web_url(Family::V4, "/"), SOON).expect("curl runs");
    Some(lab)
}

fn tunnel(lab: &Lab, options: &[&str]) -> Ropeway {
    Ropeway::connect(lab, Some("server"), &[options, PRIVATE].concat()).expect("it connects")
}

/// All of these are beginnings of lines.
fn wait_for_names(lab: &Lab, lines: &[&str]) {
    let file = || lab.client().hosts_file().expect("the client has one");
    let all = || lines.iter().all(|line| file().lines().any(|found| found.starts_with(line)));
    assert!(wait_until(SOON, all), "{lines:?} in\n{}", file());
}

/// As RFC 1002, 4.2.18 has it, to whoever asks.
fn tell_own_name(socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    let mut question = [0; 576];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let (id, name) = (&question[..2], &question[12..length - 4]);
        let head = [id, b"\x84\0\0\0\0\x01\0\0\0\0"].concat();
        let record = [&head, name, b"\0\x21\0\x01\0\0\0\0\0\x13\x01", OWN_NAME, b"\0\x04\0"].concat();
        socket.send_to(&record, from).expect("the server hears it");
    }
}
