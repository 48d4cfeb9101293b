//! What the session needs itself never goes through it, whoever opens the connection for ssh, and whatever becomes of
//! the server meanwhile.

use std::net::SocketAddr;

use ropeway_lab::{
    Family, Lab, SERVER_NAME,
    harness::{Ropeway, lab_or_skip},
    ports,
};

use crate::{AGAIN, SOON, assert_works, death::kill_master, first_byte, seen_as, tunnel_for};

/// All that the person's programs open.
const ALL: &[&str] = &["0/0", "::/0", "--local-networks"];

#[test]
fn ssh_through_a_jump_host_does_not_capture_itself() {
    survives_capturing_everything("server-via-jump", "jump-all");
}

#[test]
fn ssh_through_two_jump_hosts_does_not_capture_itself() {
    survives_capturing_everything("private-via-two", "two-all");
}

#[test]
fn ssh_through_a_proxy_command_does_not_capture_itself() {
    survives_capturing_everything("server-via-nc", "nc-all");
}

#[test]
fn a_server_that_has_moved_is_found_again_by_its_name() {
    let Some(lab) = lab_or_skip("moves") else { return };
    let tunnel = Ropeway::connect(&lab, Some("server-by-name"), ALL).expect("it connects");
    let public = lab.public_web_url(Family::V4, "/whoami");
    assert_eq!(seen_as(&lab.client(), &public), lab.server().address(Family::V4));
    let new = lab.move_server().expect("it moves");
    lab.set_names(&[(SERVER_NAME, new)]).expect("its name follows");
    reconnects(&lab, &tunnel);
    assert_eq!(seen_as(&lab.client(), &public), new);
    // no rule and no exception of the old address is left in the way of the next one
    let seen = tunnel.lines().len();
    kill_master(&lab);
    tunnel.wait_for_line_after(seen, "Connected", AGAIN).expect("it comes back");
    assert_works(&lab, Family::V4);
}

#[test]
fn without_a_server_this_computer_is_the_far_end() {
    let Some(lab) = lab_or_skip("here") else { return };
    for args in [&["198.51.100.0/24", "10.20.0.0/16"], ALL] {
        let _tunnel = Ropeway::connect(&lab, None, args).expect("it connects");
        let client = lab.client();
        assert_eq!(seen_as(&client, &lab.public_web_url(Family::V4, "/whoami")), client.address(Family::V4));
        // captured: a connection that was not would be told at once that there is no such host
        let error = first_byte(&client, SocketAddr::new(lab.private().address(Family::V4), ports::WEB));
        assert_eq!(error.expect_err("nobody can be there").kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn where_no_cgroup_can_be_had_ours_is_recognised_by_its_processes() {
    let Some(lab) = lab_or_skip("no-cgroup") else { return };
    // the agent's own connections are captured by the rule for everything, and must get out all the same
    let tunnel = Ropeway::start_without_cgroups(&lab, None, &["0/0", "::/0", "--local-networks", "-v"])
        .expect("it starts");
    tunnel.wait_for_line("recognised by its processes", SOON).expect("it has noticed");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    for family in Family::BOTH {
        let client = lab.client();
        assert_eq!(seen_as(&client, &lab.public_web_url(family, "/whoami")), client.address(family));
    }
    drop(tunnel);
    let tunnel = Ropeway::start_without_cgroups(&lab, Some("server-via-nc"), ALL).expect("it starts");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    assert_works(&lab, Family::V4);
}

/// Rules may be for one user alone; what another's ssh does is no concern of theirs.
#[test]
fn nobody_else_is_captured() {
    let Some(lab) = lab_or_skip("others") else { return };
    let _tunnel = tunnel_for(&lab, ALL);
    for family in Family::BOTH {
        let url = lab.public_web_url(family, "/whoami");
        assert_eq!(seen_as(&lab.client(), &url), lab.server().address(family));
        assert_eq!(seen_as(&lab.client().as_root(), &url), lab.client().address(family));
    }
}

fn survives_capturing_everything(server: &str, test: &str) {
    let Some(lab) = lab_or_skip(test) else { return };
    let tunnel = Ropeway::connect(&lab, Some(server), ALL).expect("it connects");
    for family in Family::BOTH {
        assert_works(&lab, family);
    }
    reconnects(&lab, &tunnel);
}

/// The next login is made while the rules are, or have just been, in place.
fn reconnects(lab: &Lab, tunnel: &Ropeway) {
    let seen = tunnel.lines().len();
    kill_master(lab);
    tunnel.wait_for_line_after(seen, "Reconnecting", SOON).expect("it notices");
    tunnel.wait_for_line_after(seen, "Connected", AGAIN).expect("it comes back");
    assert_works(lab, Family::V4);
}
