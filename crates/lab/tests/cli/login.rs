//! Servers that are in the way of a tunnel: each is a clear failure with its code, or just works.

use ropeway_lab::{
    Family, Lab,
    harness::{Ropeway, lab_or_skip},
};

use crate::{PRIVATE, SOON, assert_nothing_stays, assert_works, rules::Witness, seen_as, tunnel, tunnel_for};

#[test]
fn a_server_that_cannot_be_used_is_told_by_its_code() {
    let Some(lab) = lab_or_skip("codes") else { return };
    for (server, code) in [
        ("no-such-host", "E-SERVER-NAME"),
        ("10.20.98.1", "E-SERVER-UNREACHABLE"),
        ("wrong-key", "E-AUTH-KEY"),
        ("changed-host-key", "E-HOSTKEY-CHANGED"),
        ("unknown-host-key", "E-HOSTKEY-NEW"),
    ] {
        assert_fails(&lab, server, PRIVATE, code);
        assert_nothing_stays(&lab);
    }
}

#[test]
fn a_server_that_greets_with_ten_kilobytes_just_works() {
    let Some(lab) = lab_or_skip("noisy") else { return };
    // twice, because the second time the agent is already there
    for _ in 0..2 {
        let _tunnel = Ropeway::connect(&lab, Some("noisy-server"), PRIVATE).expect("it connects");
        assert_works(&lab, Family::V4);
    }
}

#[test]
fn a_server_reached_over_ipv6_works_for_both_families() {
    let Some(lab) = lab_or_skip("server6") else { return };
    let _tunnel = Ropeway::connect(&lab, Some("server-v6"), &["0/0", "::/0"]).expect("it connects");
    for family in Family::BOTH {
        assert_works(&lab, family);
    }
}

#[test]
fn a_server_that_is_this_machine_is_noticed_before_any_rule_is_loaded() {
    let Some(lab) = lab_or_skip("same") else { return };
    let witness = Witness::of(&lab);
    assert_fails(&lab, "same-machine", &["0/0", "::/0"], "E-SAME-MACHINE");
    assert_eq!(witness.changes(), Vec::<String>::new());
    // the witness is not blind
    drop(tunnel(&lab));
    assert!(witness.changes().iter().any(|change| change.contains("ropeway")));
    drop(witness);
    assert_nothing_stays(&lab);
}

#[test]
fn two_ropeways_share_the_systems_helper() {
    let Some(lab) = lab_or_skip("share") else { return };
    let public = lab.public_web_url(Family::V4, "/whoami");
    let _first = tunnel(&lab);
    let second = tunnel_for(&lab, &["198.51.100.1/32"]);
    assert_works(&lab, Family::V4);
    assert_eq!(seen_as(&lab.client(), &public), lab.server().address(Family::V4));
    drop(second);
    assert_works(&lab, Family::V4);
    assert_eq!(seen_as(&lab.client(), &public), lab.client().address(Family::V4));
}

#[test]
fn a_bad_subnet_is_told_before_anybody_signs_in() {
    let Some(lab) = lab_or_skip("subnet") else { return };
    for bad in ["10.0.0.0/40", "10.0.0.300", "::/129", "10.0.0.0/8:99999", "nonsense/x"] {
        let mut ropeway = Ropeway::start(&lab, Some("server"), &[bad]).expect("it starts");
        let status = ropeway.wait_for_end(SOON).expect("it does not go on");
        let lines = ropeway.lines().join("\n");
        assert!(
            !status.success() && lines.contains("E-PROFILE-INVALID") && lines.contains(bad),
            "{bad}: {lines}"
        );
        assert!(!lines.contains("signing in"), "{bad}: {lines}");
    }
}

fn assert_fails(lab: &Lab, server: &str, subnets: &[&str], code: &str) {
    assert_ends(Ropeway::start(lab, Some(server), subnets).expect("it starts"), code);
}

/// It ends by itself, with 1, and says why.
pub fn assert_ends(mut ropeway: Ropeway, code: &str) {
    let status = ropeway.wait_for_end(SOON * 2).unwrap_or_else(|error| panic!("{code}: {error:#}"));
    let lines = ropeway.lines();
    let told = lines.iter().any(|line| line.starts_with(&format!("{code}: ")));
    assert!(status.code() == Some(1) && told, "{code}: {status}, {lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("Connected")), "{code}: {lines:#?}");
}
