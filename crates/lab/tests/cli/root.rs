//! `sudo ropeway run`, on a computer where nothing is installed: a helper of its own, and everybody is captured.

use nix::sys::signal::Signal;
use ropeway_lab::{
    Family, Lab, Process,
    harness::{Ropeway, lab_or_skip, wait_until},
};

use crate::{
    GONE, PRIVATE, SOON, assert_nothing_stays, assert_works, death::kill_helper, login::assert_ends, seen_as,
    tunnel,
};

#[test]
fn as_root_without_a_system_bus_everybody_is_captured() {
    let Some(lab) = lab_or_skip("sudo") else { return };
    let mut ropeway = as_root(&lab, &["0/0", "::/0", "--local-networks"]);
    for family in Family::BOTH {
        let url = lab.public_web_url(family, "/whoami");
        for host in [lab.client(), lab.client().as_root()] {
            assert_eq!(seen_as(&host, &url), lab.server().address(family), "{}", host.user());
        }
    }
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

#[test]
fn roots_own_helper_is_started_again_and_ends_with_a_killed_ropeway() {
    let Some(lab) = lab_or_skip("sudo-kill") else { return };
    let mut ropeway = as_root(&lab, PRIVATE);
    let seen = ropeway.lines().len();
    assert!(!helpers(&lab)[0].is_system_helper(), "it is its own");
    kill_helper(&lab);
    ropeway.wait_for_line_after(seen, "E-HELPER-GONE", GONE).expect("the reason is told");
    ropeway.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    assert_works(&lab, Family::V4);
    ropeway.signal(Signal::SIGKILL).expect("it runs");
    ropeway.wait_for_end(SOON).expect("nobody survives that");
    assert!(wait_until(GONE, || helpers(&lab).is_empty()), "{:?}", helpers(&lab));
    assert_nothing_stays(&lab);
}

#[test]
fn roots_own_helper_harms_nobody_where_the_systems_is_at_work() {
    let Some(lab) = lab_or_skip("sudo-busy") else { return };
    let _first = tunnel(&lab);
    let second = Ropeway::start_as_root(&lab, Some("server"), &["198.51.100.1/32"]).expect("it starts");
    assert_ends(second, "E-HELPER-BUSY");
    assert_works(&lab, Family::V4);
}

fn helpers(lab: &Lab) -> Vec<Process> {
    lab.client().processes().into_iter().filter(|process| process.name == "ropeway-helper").collect()
}

fn as_root(lab: &Lab, args: &[&str]) -> Ropeway {
    let ropeway = Ropeway::start_as_root(lab, Some("server"), args).expect("it starts");
    ropeway.wait_for_line("Connected", SOON * 2).expect("it connects");
    ropeway
}
