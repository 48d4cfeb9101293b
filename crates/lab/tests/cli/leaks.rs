//! What goes around a tunnel is told.

use std::net::{SocketAddr, UdpSocket};

use nix::sys::signal::Signal;
use ropeway_lab::{Family, Lab, harness::lab_or_skip};

use crate::{SOON, assert_works, death::kill_helper, tunnel, tunnel_for};

/// Datagrams of the client's user to the private network.
fn send(lab: &Lab, count: usize) {
    let to = SocketAddr::new(lab.private().address(Family::V4), 9);
    let all = || {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("the client has an address");
        for _ in 0..count {
            socket.send_to(b"?", to).expect("it has a route");
        }
    };
    lab.client().run(all).expect("the client is up");
}

#[test]
fn how_much_went_around_is_told_at_the_end() {
    let Some(lab) = lab_or_skip("around") else { return };
    let mut tunnel = tunnel(&lab);
    assert_works(&lab, Family::V4);
    send(&lab, 3);
    tunnel.signal(Signal::SIGTERM).expect("it runs");
    assert!(tunnel.wait_for_end(SOON).expect("it ends").success());
    tunnel
        .wait_for_line("3 packets to your networks went around the tunnel (UDP).", SOON)
        .expect("it is told");
}

#[test]
fn who_wants_more_words_hears_it_while_it_happens_and_over_a_helpers_death() {
    let Some(lab) = lab_or_skip("around-more") else { return };
    let tunnel = tunnel_for(&lab, &["-v", "10.20.0.0/16"]);
    send(&lab, 2);
    tunnel.wait_for_line("2 packets to your networks", SOON).expect("it is told");
    let seen = tunnel.lines().len();
    kill_helper(&lab);
    tunnel.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    send(&lab, 2);
    tunnel.wait_for_line_after(seen, "4 packets to your networks", SOON).expect("it is added up");
}
