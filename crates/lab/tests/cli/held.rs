//! What a profile asks to be held, seen by its user: which networks, what is told meanwhile, and what ends it. What
//! crashes leave, and how a tunnel comes back, is `fail_closed`'s.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use ropeway_lab::{
    Family, Lab, Process, SERVER_NAME,
    harness::{Ropeway, lab_or_skip, wait_until},
    ports,
};

use crate::{
    AGAIN, GONE, PRIVATE, SOON, assert_nothing_stays,
    death::{kill_helper, kill_master},
    seen_as, tunnel_for,
};

/// A refusal comes from this computer's own kernel; a busy machine starts curl within this. Who only drops keeps
/// people waiting for minutes.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The table that survives on purpose.
const HELD: &str = "inet ropeway_ks";

#[test]
fn networks_are_held_until_the_server_is_back() {
    let Some(lab) = lab_or_skip("keep-nets") else { return };
    let mut tunnel = connect(&lab, "--fail-closed");
    let new = lose_the_server(&lab, &tunnel, "traffic to 198.51.100.");
    assert_held(&lab);
    assert!(reaches_jump(&lab), "what is not the profile's goes its usual way");
    comes_back(&lab, &tunnel, new);
    ends_in_order(&lab, &mut tunnel);
}

#[test]
fn everything_is_held_but_the_login() {
    let Some(lab) = lab_or_skip("keep-all") else { return };
    let mut tunnel = connect(&lab, "--fail-closed=everything");
    assert!(reaches_jump(&lab), "while it is up, only its networks are its concern");
    let new = lose_the_server(&lab, &tunnel, "all traffic is held");
    assert_held(&lab);
    assert!(!reaches_jump(&lab));
    comes_back(&lab, &tunnel, new);
    assert!(reaches_jump(&lab));
    ends_in_order(&lab, &mut tunnel);
}

#[test]
fn a_killed_helper_lets_nothing_out() {
    let Some(lab) = lab_or_skip("keep-helper") else { return };
    let mut tunnel = connect(&lab, "--fail-closed");
    let seen = tunnel.lines().len();
    kill_helper(&lab);
    assert!(tables(&lab).contains(&HELD.to_owned()), "it outlives its maker");
    tunnel.wait_for_line_after(seen, "is held", GONE).expect("that is told");
    tunnel.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    assert_eq!(seen_as(&lab.client(), &page(&lab)), lab.server().address(Family::V4));
    ends_in_order(&lab, &mut tunnel);
}

#[test]
fn what_another_program_opened_is_closed_again_and_told() {
    let Some(lab) = lab_or_skip("keep-flush") else { return };
    let mut tunnel = connect(&lab, "--fail-closed");
    let nft =
        lab.client().as_root().command("nft").expect("nft is there").arg("flush").arg("ruleset").status();
    assert!(nft.expect("nft runs").success());
    tunnel.wait_for_line("E-FW-GONE", SOON).expect("that is told");
    assert!(tables(&lab).contains(&HELD.to_owned()));
    assert_eq!(
        seen_as(&lab.client(), &page(&lab)),
        lab.server().address(Family::V4),
        "and it is still connected"
    );
    ends_in_order(&lab, &mut tunnel);
}

#[test]
fn a_first_try_that_fails_ends_in_order_and_opens() {
    let Some(lab) = lab_or_skip("keep-first") else { return };
    let args = ["--fail-closed", &net(&lab)];
    let mut ropeway = Ropeway::start(&lab, Some("wrong-key"), &args).expect("it starts");
    assert!(!ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
    assert_eq!(seen_as(&lab.client(), &page(&lab)), lab.client().address(Family::V4));
}

#[test]
fn without_a_cgroup_it_is_refused_rather_than_holding_its_own_login() {
    let Some(lab) = lab_or_skip("keep-nowhere") else { return };
    let args = ["--fail-closed", &net(&lab)];
    let mut ropeway = Ropeway::start_without_cgroups(&lab, Some("server"), &args).expect("it starts");
    ropeway.wait_for_line("E-CANNOT-HOLD", SOON).expect("it says why");
    assert!(!ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

/// Takes what everybody can reach, so that it is the rules that keep it away.
fn connect(lab: &Lab, held: &str) -> Ropeway {
    let tunnel = Ropeway::connect(lab, Some("server-by-name"), &[held, &net(lab)]).expect("it connects");
    assert_eq!(seen_as(&lab.client(), &page(lab)), lab.server().address(Family::V4));
    tunnel
}

fn net(lab: &Lab) -> String {
    format!("{}/32", lab.hub().address(Family::V4))
}

fn page(lab: &Lab) -> String {
    lab.public_web_url(Family::V4, "/whoami")
}

fn tables(lab: &Lab) -> Vec<String> {
    lab.client().nft_tables().expect("nft runs")
}

/// The login ends, and nobody is where the server was: where it is now.
fn lose_the_server(lab: &Lab, tunnel: &Ropeway, words: &str) -> IpAddr {
    let seen = tunnel.lines().len();
    let new = lab.move_server().expect("it moves");
    kill_master(lab);
    tunnel.wait_for_line_after(seen, "Reconnecting", GONE).expect("the state is told");
    tunnel.wait_for_line_after(seen, words, GONE).expect("what is held is told");
    new
}

fn assert_held(lab: &Lab) {
    let page = lab.client().fetch(&page(lab), SOON).expect("curl runs");
    assert_eq!((page.code, page.body.as_str()), (7, ""), "{page:?}");
    assert!(page.took < AT_ONCE, "{page:?}");
}

/// A host that no network of the profile has.
fn reaches_jump(lab: &Lab) -> bool {
    let to = SocketAddr::new(lab.jump().address(Family::V4), ports::SSH);
    let started = Instant::now();
    let reached = crate::first_byte(&lab.client(), to).is_ok_and(|byte| byte == Some(b'S'));
    assert!(started.elapsed() < AT_ONCE);
    reached
}

fn comes_back(lab: &Lab, tunnel: &Ropeway, new: IpAddr) {
    let seen = tunnel.lines().len();
    lab.set_names(&[(SERVER_NAME, new)]).expect("its name follows");
    tunnel.wait_for_line_after(seen, "Connected", AGAIN).expect("it comes back");
    assert_eq!(seen_as(&lab.client(), &page(lab)), new);
}

fn ends_in_order(lab: &Lab, tunnel: &mut Ropeway) {
    tunnel.signal(Signal::SIGTERM).expect("it runs");
    assert!(tunnel.wait_for_end(SOON).expect("it ends").success());
    // a server that has moved away learns only by its own time limits that a login is over: here it is the client
    let processes = || lab.client().processes().into_iter().filter(|it| !it.is_system_helper()).collect();
    let left = || (tables(lab), processes(), lab.abandoned_cgroups());
    let nothing: (Vec<String>, Vec<Process>, _) = (vec![], vec![], vec![]);
    wait_until(GONE, || left() == nothing);
    assert_eq!(left(), nothing);
    assert_eq!(seen_as(&lab.client(), &page(lab)), lab.client().address(Family::V4));
}

/// Two of one person's tunnels want the same network: the first keeps it, and the second says so.
#[test]
fn a_network_that_another_program_has_already_is_told() {
    let Some(lab) = lab_or_skip("keep-first") else { return };
    let _first = tunnel_for(&lab, PRIVATE);
    let second = tunnel_for(&lab, &["10.20.0.0/16"]);
    let told = "10.20.0.0/16 goes another way: another program of yours has it already";
    second.wait_for_line(told, SOON).expect("it is told");
}

#[test]
fn everyones_traffic_needs_more_than_ones_own_grant() {
    let Some(lab) = lab_or_skip("keep-own") else { return };
    let args = ["--everyone", "10.20.0.0/16"];
    let mut ropeway = Ropeway::start(&lab, Some("server"), &args).expect("it starts");
    ropeway.wait_for_line("E-NOT-GRANTED", SOON).expect("it says why");
    assert!(!ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}
