//! In the background, as scripts and start-up files have it.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ropeway_lab::{
    Family, Lab,
    harness::{lab_or_skip, wait_until},
};

use crate::{SOON, assert_no_way, assert_works};

/// What a command says, and whether it was content.
fn ropeway(lab: &Lab, args: &[&str]) -> (bool, String) {
    let client = lab.client();
    let program = client.program("ropeway").expect("it is built");
    let output = client.command(program).expect("a command").args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

#[test]
fn a_daemon_is_there_when_its_command_returns_and_gone_when_it_is_ended() {
    let Some(lab) = lab_or_skip("daemon") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder.path(), mode).expect("for everybody");
    let file = folder.path().join("pid");
    let (path, ssh) = (file.to_str().expect("a path"), format!("ssh -F {}", lab.ssh_config().display()));
    // sshuttle's command line, as it is
    let args = ["-vDr", "server", "-e", &ssh, "--pidfile", path, "10.20.0.0/16", "fd20::/48"];
    let (ok, said) = ropeway(&lab, &args);
    assert!(ok && said.contains("Connected"), "{said}");
    assert_works(&lab, Family::V4);
    let (ok, said) = ropeway(&lab, &args);
    assert!(!ok && said.contains("runs with that --pidfile already"), "{said}");
    let pid = fs::read_to_string(&file).expect("a number").trim().parse().expect("a number");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
    assert!(wait_until(SOON, || !file.exists()), "its file goes with it");
    assert_no_way(&lab, Family::V4);
}

#[test]
fn a_daemon_that_cannot_connect_says_so_before_its_command_returns() {
    let Some(lab) = lab_or_skip("no-daemon") else { return };
    let ssh = format!("ssh -F {}", lab.ssh_config().display());
    let (ok, said) = ropeway(&lab, &["-Dr", "changed-host-key", "-e", &ssh, "10.20.0.0/16"]);
    assert!(!ok && said.contains("E-HOSTKEY-CHANGED"), "{said}");
}
