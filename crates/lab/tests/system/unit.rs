//! The files of the installation, as systemd judges them.

use std::{path::PathBuf, process::Command};

use ropeway_helper_api::bus;
use ropeway_lab::system::User;

use crate::installed;

/// systemd's own rating, times ten: 25 is "exposure 2.5".
const EXPOSURE: &str = "--threshold=25";

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../installers/linux", name].iter().collect()
}

#[test]
fn the_sandbox_leaves_little_open() {
    for unit in ["ropeway-helper.service", "ropeway-undo.service"] {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager", EXPOSURE]).arg(file(unit));
        let output = analyze.output().expect("systemd-analyze runs");
        assert!(output.status.success(), "{unit}:\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn systemd_understands_every_line() {
    let Some(system) = installed("systemd_understands_every_line") else { return };
    for unit in ["ropeway-helper.service", "ropeway-undo.service"] {
        let path = format!("/etc/systemd/system/{unit}");
        let said = system.command("systemd-analyze").args(["verify", &path]).output().expect("it runs");
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("ropeway"), "{unit}: {said}");
    }
    assert_eq!(system.unit("ropeway-undo.service", "UnitFileState").expect("systemctl"), "enabled");
}

#[test]
fn polkit_asks_an_administrator_in_every_kind_of_session() {
    let Some(system) = installed("polkit_asks_an_administrator_in_every_kind_of_session") else { return };
    for action in [bus::ACTION_SET_UP_OWN, bus::ACTION_SET_UP_ALL, bus::ACTION_REVOKE, bus::ACTION_REPAIR] {
        let said = system.run("pkaction", &["--verbose", "--action-id", action]).expect("polkit knows it");
        let defaults: Vec<_> = said.lines().filter(|line| line.contains("implicit")).collect();
        assert_eq!(defaults.len(), 3, "{said}");
        // not auth_admin_keep: then polkit would ask again every five minutes
        assert!(defaults.iter().all(|line| line.ends_with(" auth_admin")), "{said}");
    }
}

#[test]
fn nobody_but_root_can_be_the_helper() {
    let Some(system) = installed("nobody_but_root_can_be_the_helper") else { return };
    let request = |user| {
        let mut busctl = system.command_of(user, "busctl");
        busctl.args(["call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"]);
        let output = busctl.args(["RequestName", "su", bus::NAME, "0"]).output().expect("busctl runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    };
    assert_eq!(request(User::YES), "Call failed: Access denied");
    assert_eq!(request(User::ROOT), "u 1", "DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER");
}
