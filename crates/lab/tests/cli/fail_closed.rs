//! `--fail-closed`: what would go through the tunnel waits for it and leaves no other way, whatever crashes; what the
//! tunnel needs to come back passes.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use nix::sys::signal::Signal;
use ropeway_helper_api::Grant;
use ropeway_lab::{
    Family, Host, Lab, SERVER_NAME,
    harness::{Ropeway, lab_or_skip, wait_until},
    ports,
};

use crate::{
    AGAIN, GONE, PRIVATE, SOON, assert_nothing_stays, assert_works,
    death::{kill_helper, kill_master},
    first_byte, seen_as, tunnel_for,
};

/// The table that outlives crashes.
const CLOSED: &str = "inet ropeway_ks";

/// Where a computer asks for its address, and from where (RFC 2131).
const DHCP: (u16, u16) = (67, 68);

#[test]
fn a_server_that_moves_while_a_users_traffic_is_held_is_found_again() {
    let Some(lab) = lab_or_skip("held-own") else { return };
    let (tunnel, new) = loses_the_server(&lab, &[]);
    assert_eq!(visit(&lab.client().as_root(), &lab), Ok(()), "others are not concerned");
    comes_back_at(&lab, tunnel, new);
}

/// Over IPv6, because there the neighbours are asked by packets that rules see.
#[test]
fn a_server_that_moves_while_everybodys_traffic_is_held_is_found_again() {
    let Some(lab) = lab_or_skip("held-all") else { return };
    lab.grant(Grant::All).expect("a grant");
    let (tunnel, _) = loses_the_server(&lab, &["--everyone"]);
    assert_eq!(visit(&lab.client().as_root(), &lab), Err(ErrorKind::ConnectionRefused));
    renew_lease(&lab);
    comes_back_at(&lab, tunnel, lab.server().address(Family::V6));
}

#[test]
fn what_was_closed_stays_so_after_every_crash_until_the_tunnel_is_back() {
    let Some(lab) = lab_or_skip("held-kill") else { return };
    let mut tunnel = tunnel_for(&lab, &[PRIVATE, &["--fail-closed"]].concat());
    tunnel.signal(Signal::SIGKILL).expect("it runs");
    tunnel.wait_for_end(SOON).expect("nobody survives that");
    assert_only_the_networks_are_closed(&lab);
    kill_helper(&lab);
    assert_only_the_networks_are_closed(&lab);
    let mut again = tunnel_for(&lab, &[PRIVATE, &["--fail-closed"]].concat());
    assert_works(&lab, Family::V4);
    again.signal(Signal::SIGTERM).expect("it runs");
    assert!(again.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

#[test]
fn what_a_crash_left_closed_can_be_opened_by_hand() {
    let Some(lab) = lab_or_skip("held-open") else { return };
    let mut tunnel = tunnel_for(&lab, &[PRIVATE, &["--fail-closed"]].concat());
    tunnel.signal(Signal::SIGKILL).expect("it runs");
    tunnel.wait_for_end(SOON).expect("nobody survives that");
    assert_only_the_networks_are_closed(&lab);
    let client = lab.client();
    let restore = client.program("ropeway").and_then(|program| client.command(program));
    let output = restore.expect("it is built").arg("restore-network").output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_nothing_stays(&lab);
}

/// Everything is held, the server is not where its name says, and the client has forgotten its neighbours.
fn loses_the_server(lab: &Lab, more: &[&str]) -> (Ropeway, IpAddr) {
    let args = [&["0/0", "::/0", "--local-networks", "--fail-closed=everything"], more].concat();
    let tunnel = Ropeway::connect(lab, Some("server-by-name"), &args).expect("it connects");
    assert_eq!(
        seen_as(&lab.client(), &lab.public_web_url(Family::V4, "/whoami")),
        lab.server().address(Family::V4)
    );
    let new = lab.move_server().expect("it moves");
    let seen = tunnel.lines().len();
    kill_master(lab);
    tunnel.wait_for_line_after(seen, "Reconnecting", SOON).expect("it notices");
    let mut flush = lab.client().as_root().command("ip").expect("the client is up");
    assert!(flush.args(["neigh", "flush", "dev", "eth0"]).status().expect("ip runs").success());
    assert_eq!(visit(&lab.client(), lab), Err(ErrorKind::ConnectionRefused));
    (tunnel, new)
}

fn comes_back_at(lab: &Lab, mut tunnel: Ropeway, address: IpAddr) {
    let seen = tunnel.lines().len();
    lab.set_names(&[(SERVER_NAME, address)]).expect("its name follows");
    tunnel.wait_for_line_after(seen, "Connected", AGAIN).expect("it comes back");
    assert_works(lab, Family::V4);
    assert_eq!(visit(&lab.client(), lab), Ok(()));
    tunnel.signal(Signal::SIGTERM).expect("it runs");
    assert!(tunnel.wait_for_end(SOON).expect("it ends").success());
    // on the server an agent is left that has not heard yet where its login went
    assert_eq!(lab.client().nft_tables().expect("nft runs"), Vec::<String>::new());
}

/// A datagram as a DHCP client sends it arrives; any other does not even leave.
fn renew_lease(lab: &Lab) {
    let (server, client) = DHCP;
    let bound = |host: &Host, port| {
        let socket = host.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).expect("the host is up");
        let socket = socket.expect("a free port");
        socket.set_read_timeout(Some(SOON)).expect("a timeout");
        socket
    };
    let (hub, mut heard) = (bound(&lab.hub(), server), [0; 16]);
    let to = SocketAddr::new(lab.hub().address(Family::V4), server);
    let root = lab.client().as_root();
    let refused = bound(&root, 0).send_to(b"a letter", to).expect_err("all is closed");
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    bound(&root, client).send_to(b"a request", to).expect("it passes");
    let length = hub.recv(&mut heard).expect("it arrives");
    assert_eq!(&heard[..length], b"a request");
}

/// The table is there, the private network refuses at once, and all else goes its usual way.
fn assert_only_the_networks_are_closed(lab: &Lab) {
    let tables = || lab.client().nft_tables().expect("nft runs");
    wait_until(GONE, || tables() == [CLOSED]);
    assert_eq!(tables(), [CLOSED]);
    let web = SocketAddr::new(lab.private().address(Family::V4), ports::WEB);
    assert_eq!(kind(first_byte(&lab.client(), web)), ErrorKind::ConnectionRefused);
    assert_eq!(kind(first_byte(&lab.client().as_root(), web)), ErrorKind::HostUnreachable, "others' is not");
    assert_eq!(visit(&lab.client(), lab), Ok(()));
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.expect_err("nobody can be there").kind()
}

/// Whether the public web server can be reached.
fn visit(host: &Host, lab: &Lab) -> Result<(), ErrorKind> {
    let web = SocketAddr::new(lab.hub().address(Family::V4), ports::WEB);
    let connect = || std::net::TcpStream::connect_timeout(&web, SOON);
    host.run(connect).expect("the host is up").map(drop).map_err(|error| error.kind())
}
