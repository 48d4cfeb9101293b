//! From the app's set-up to nothing: the same script and the same question as in the window, and no file is left.

use std::{
    fs::{self, File},
    process::Command,
};

use ropeway_helper_api::Grant;
use ropeway_lab::system::{Answer, Caller, HELPER, Order, PASSWORD, PROGRAMS, System, User};

use crate::{agent_for, connect, is_captured, load, tunnel, wait_for};

const INSTALL: &str = include_str!("../../../../src-tauri/engine/src/setup_helper/install.sh");
const REMOVE: &str = include_str!("../../../../src-tauri/engine/src/setup_helper/remove.sh");

fn program(system: &System) -> File {
    File::open(system.path(&format!("{PROGRAMS}/ropeway-helper"))).expect("it is built")
}

fn sum(system: &System) -> String {
    let line = system.run("sha256sum", &[&format!("{PROGRAMS}/ropeway-helper")]).expect("it is there");
    line.split(' ').next().expect("a sum").to_owned()
}

/// What the engine starts. pkexec asks on behalf of its parent, so that has to be in the computer as well: a shell, which
/// writes its number down and waits for `/tmp/go`.
fn pkexec(system: &System, user: User, script: &str, arguments: &[&str]) -> Command {
    let parent = r#"echo $$ >/tmp/parent; until [ -e /tmp/go ]; do sleep 0.02; done; "$@"; exit $?"#;
    let mut command = system.command_of(user, "sh");
    command.args(["-c", parent, "engine", "pkexec", "--disable-internal-agent"]);
    command.args(["/bin/sh", "-c", script, "ropeway-setup"]).args(arguments);
    command
}

fn go(system: &System) {
    fs::write(system.path("/tmp/go"), "").expect("a file");
}

fn install(system: &System, user: User, sum: &str) -> std::process::Output {
    go(system);
    pkexec(system, user, INSTALL, &[sum, "all"]).stdin(program(system)).output().expect("pkexec runs")
}

#[test]
fn what_the_app_installs_it_removes() {
    let Some(system) = System::boot("what_the_app_installs_it_removes") else { return };
    // polkit and the bus note things of their own when they are first used
    system.run("pkcheck", &["--action-id", "org.freedesktop.policykit.exec", "--process", "1"]).ok();
    let before = system.changed().expect("find runs");

    let output = install(&system, User::YES, &sum(&system));
    assert!(output.status.success(), "{output:?}");
    let mut caller = Caller::new(&system, User::YES);
    connect(&mut caller);
    load(&mut caller, User::YES, Grant::All);
    assert!(is_captured(&mut caller));

    let output = pkexec(&system, User::YES, REMOVE, &[]).output().expect("pkexec runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    assert!(!is_captured(&mut caller));
    assert_eq!(system.changed().expect("find runs"), before);
    let gone = caller.does(&Order::Open);
    assert_eq!(gone, Answer::Failed("org.freedesktop.DBus.Error.ServiceUnknown".into()));
    assert_eq!(system.run("nft", &["list", "tables"]).expect("nft runs"), "");
}

#[test]
fn only_the_program_that_was_announced_is_installed() {
    let Some(system) = System::boot("only_the_program_that_was_announced_is_installed") else { return };
    let other = install(&system, User::YES, &"0".repeat(64));
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    let refused = install(&system, User::NO, &sum(&system));
    assert_eq!(refused.status.code(), Some(127), "{refused:?}");
    assert!(!system.path(HELPER).exists());
}

#[test]
fn one_password_installs_and_grants() {
    let Some(system) = System::boot("one_password_installs_and_grants") else { return };
    let mut setup = pkexec(&system, User::ASK, INSTALL, &[&sum(&system), "own"]);
    let mut setup = setup.stdin(program(&system)).spawn().expect("it runs");
    let parent = || fs::read_to_string(system.path("/tmp/parent")).ok()?.trim_end().parse().ok();
    wait_for("the shell", || parent().is_some());
    let mut agent = agent_for(&system, User::ASK, parent().expect("a number"));
    go(&system);
    agent.type_password(PASSWORD).expect("it asks");
    assert!(setup.wait().expect("it ends").success());

    let mut caller = Caller::new(&system, User::ASK);
    assert_eq!(caller.does(&Order::Grants), Answer::Grants(vec![(User::ASK.uid, "own".into())]));
    connect(&mut caller);
    load(&mut caller, User::ASK, Grant::Own);
    assert!(is_captured(&mut caller));
}

#[test]
fn what_came_with_a_package_is_left_to_it() {
    let Some(system) = System::boot("what_came_with_a_package_is_left_to_it") else { return };
    system.install_helper().expect("it installs");
    drop(tunnel(&system));
    fs::copy(system.path(HELPER), system.path("/usr/libexec/ropeway-helper")).expect("it can be copied");
    let refusal = system.run("/usr/libexec/ropeway-helper", &["--remove"]).expect_err("it refuses");
    assert!(refusal.to_string().contains("came with a package"), "{refusal:#}");
    fs::copy(system.path(HELPER), system.path("/tmp/ropeway-helper")).expect("it can be copied");
    let refusal = system.run("/tmp/ropeway-helper", &["--install"]).expect_err("it refuses");
    assert!(refusal.to_string().contains("could be changed by somebody who is not root"), "{refusal:#}");
    assert!(system.path(HELPER).exists());
}
