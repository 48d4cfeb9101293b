//! Whatever ends, and however it ends: no table, no process stays, and who lives on says why.

use std::{io::Write, net::TcpStream};

use nix::sys::signal::Signal;
use ropeway_lab::{
    Family, Host, Lab, Process,
    harness::{Ropeway, lab_or_skip, wait_until},
};

use crate::{GONE, SOON, assert_no_way, assert_nothing_stays, assert_works, tunnel};

#[test]
fn a_request_to_end_is_a_clean_end() {
    let Some(lab) = lab_or_skip("term") else { return };
    for end in [
        |it: &Ropeway| it.signal(Signal::SIGTERM),
        |it: &Ropeway| it.signal(Signal::SIGINT),
        Ropeway::interrupt,
    ] {
        let mut ropeway = tunnel(&lab);
        let _busy = open_connection(&lab);
        end(&ropeway).expect("it runs");
        let status = ropeway.wait_for_end(SOON).expect("it ends");
        assert!(status.success(), "{status}: {:#?}", ropeway.lines());
        assert_eq!(lab.client().nft_tables().expect("nft runs"), Vec::<String>::new());
        assert_nothing_stays(&lab);
    }
}

#[test]
fn a_request_to_end_is_heard_while_it_connects() {
    let Some(lab) = lab_or_skip("term-early") else { return };
    let mut ropeway = Ropeway::start(&lab, Some("server"), &["10.20.0.0/16"]).expect("it starts");
    ropeway.wait_for_line("Connecting", SOON).expect("it says so");
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

#[test]
fn nothing_outlives_a_killed_ropeway() {
    let Some(lab) = lab_or_skip("kill-app") else { return };
    let mut ropeway = tunnel(&lab);
    let _busy = open_connection(&lab);
    ropeway.signal(Signal::SIGKILL).expect("it runs");
    ropeway.wait_for_end(SOON).expect("nobody survives that");
    assert_nothing_stays(&lab);
    assert_no_way(&lab, Family::V4);
    drop(ropeway);
    let _again = tunnel(&lab);
    assert_works(&lab, Family::V4);
}

#[test]
fn a_killed_helper_takes_the_rules_along_and_they_are_put_back() {
    comes_back_after(&Victim { name: "kill-helper", code: "E-HELPER-GONE", kill: kill_helper });
}

#[test]
fn a_killed_ssh_is_started_again() {
    comes_back_after(&Victim { name: "kill-ssh", code: "E-SSH-ENDED", kill: kill_master });
}

#[test]
fn a_killed_agent_is_started_again() {
    comes_back_after(&Victim { name: "kill-agent", code: "E-AGENT-ENDED", kill: kill_agent });
}

#[test]
fn a_killed_sshd_session_is_made_again() {
    comes_back_after(&Victim { name: "kill-login", code: "E-SSH-ENDED", kill: kill_session });
}

/// The ssh that holds the login.
pub fn kill_master(lab: &Lab) {
    kill_one(&lab.client(), &|process| process.name == "ssh" && process.line.contains(" -M "));
}

struct Victim {
    name: &'static str,
    /// Of the line that says what happened.
    code: &'static str,
    kill: fn(&Lab),
}

fn comes_back_after(victim: &Victim) {
    let Some(lab) = lab_or_skip(victim.name) else { return };
    let mut ropeway = tunnel(&lab);
    let _busy = open_connection(&lab);
    let (before, seen) = (programs(&lab), ropeway.lines().len());
    (victim.kill)(&lab);
    ropeway.wait_for_line_after(seen, "Reconnecting", GONE).expect("the state is told");
    ropeway.wait_for_line_after(seen, victim.code, GONE).expect("the reason is told");
    ropeway.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    assert_works(&lab, Family::V4);
    wait_until(GONE, || programs(&lab) == before);
    assert_eq!(programs(&lab), before, "as many programs as before, and no others");
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_nothing_stays(&lab);
}

/// The helper, whoever has started it.
pub fn kill_helper(lab: &Lab) {
    kill_one(&lab.client(), &|process| process.name == "ropeway-helper");
}

fn kill_agent(lab: &Lab) {
    kill_one(&lab.server(), &|process| process.line.contains("/ropeway/agent-"));
}

fn kill_session(lab: &Lab) {
    let sessions = lab.server().all_processes();
    // one for each user that is signed in, and its privileged parent
    let session = sessions
        .iter()
        .find(|process| process.line.starts_with("sshd: lab@"))
        .expect("somebody is signed in");
    session.signal(Signal::SIGKILL);
}

fn kill_one(host: &Host, which: &dyn Fn(&Process) -> bool) {
    let all = host.processes();
    let found: Vec<_> = all.iter().filter(|process| which(process)).collect();
    assert_eq!(found.len(), 1, "{all:#?}");
    found[0].signal(Signal::SIGKILL);
}

/// Names of all programs that the tunnel has started, on both sides, and of the helper.
fn programs(lab: &Lab) -> Vec<String> {
    let all = lab.stray_processes().into_iter().chain(helpers(lab));
    let mut names: Vec<_> = all.map(|process| process.name).collect();
    names.sort();
    names
}

/// Those that the system bus has started.
pub fn helpers(lab: &Lab) -> Vec<Process> {
    lab.client().processes().into_iter().filter(Process::is_system_helper).collect()
}

/// A connection that is in use while something dies.
fn open_connection(lab: &Lab) -> TcpStream {
    let to = lab.echo(Family::V4);
    let connect = || TcpStream::connect_timeout(&to, SOON);
    let mut stream = lab.client().run(connect).expect("the client is up").expect("it goes through");
    stream.write_all(b"hello").expect("it is open");
    stream
}
