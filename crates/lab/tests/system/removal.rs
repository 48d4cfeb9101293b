//! From the app's set-up to nothing: the same script and the same question as in the window, and no file is left.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::Result;

use ropeway_helper_api::Grant;
use ropeway_lab::{
    harness::bin,
    system::{Answer, Caller, HELPER, Init, Order, PASSWORD, PROGRAMS, System, User, put_program},
};

use crate::{agent_for, connect, is_captured, load, wait_for};

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

/// Where packages have the helper and its files, which are in `installers/linux`.
const PACKAGED: &str = "/usr/libexec/ropeway-helper";
const FILES: &[(&str, &str)] = &[
    ("ropeway-helper.service", "usr/lib/systemd/system"),
    ("ropeway-undo.service", "usr/lib/systemd/system"),
    ("org.ropeway.Helper1.service", "usr/share/dbus-1/system-services"),
    ("org.ropeway.Helper1.conf", "usr/share/dbus-1/system.d"),
    ("org.ropeway.helper.policy", "usr/share/polkit-1/actions"),
];

fn lay_package(root: &Path) -> Result<()> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installers/linux");
    for (name, folder) in FILES {
        fs::create_dir_all(root.join(folder))?;
        fs::copy(shipped.join(name), root.join(folder).join(name))?;
    }
    put_program(&bin("ropeway-helper")?, &root.join(PACKAGED.trim_start_matches('/')))
}

#[test]
fn what_came_with_a_package_is_left_to_it() {
    let test = "what_came_with_a_package_is_left_to_it";
    let Some(system) = System::boot_with(test, Init::Systemd, lay_package) else { return };
    let grant = ["--install", "--grant", "all", "--for", &User::YES.uid.to_string()];
    let before = system.changed().expect("find runs");
    system.run(PACKAGED, &grant).expect("it grants");
    let after = system.changed().expect("find runs");
    // the folder is not new where the real machine has one
    let new = |path: &&String| !before.contains(path) && *path != "var/lib/ropeway";
    assert_eq!(
        after.iter().filter(new).collect::<Vec<_>>(),
        ["var/lib/ropeway/grants", "var/lib/ropeway/grants.lock"]
    );

    let mut caller = Caller::new(&system, User::YES);
    connect(&mut caller);
    load(&mut caller, User::YES, Grant::All);
    assert!(is_captured(&mut caller));
    let refusal = system.run(PACKAGED, &["--remove"]).expect_err("it refuses");
    assert!(refusal.to_string().contains("came with a package"), "{refusal:#}");
    assert!(is_captured(&mut caller));
}

#[test]
fn a_program_that_others_can_change_is_not_installed() {
    let Some(system) = System::boot("a_program_that_others_can_change_is_not_installed") else { return };
    let before = system.changed().expect("find runs");
    fs::copy(bin("ropeway-helper").expect("it is built"), system.path("/tmp/ropeway-helper"))
        .expect("a copy");
    let refusal = system.run("/tmp/ropeway-helper", &["--install"]).expect_err("it refuses");
    assert!(refusal.to_string().contains("could be changed by somebody who is not root"), "{refusal:#}");
    let output =
        system.command_of(User::YES, &format!("{PROGRAMS}/ropeway-helper")).arg("--install").output();
    let said = String::from_utf8_lossy(&output.expect("it runs").stderr).into_owned();
    assert!(said.contains("needs root"), "{said}");
    assert_eq!(system.changed().expect("find runs"), before);
}
