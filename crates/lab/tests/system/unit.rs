//! The files of the installation, as systemd judges them.

use std::{path::PathBuf, process::Command};

use ropeway_lab::system::System;

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
    let Some(system) = System::boot("systemd_understands_every_line") else { return };
    system.install_helper().expect("it installs");
    for unit in ["ropeway-helper.service", "ropeway-undo.service"] {
        let path = format!("/etc/systemd/system/{unit}");
        let said = system.command("systemd-analyze").args(["verify", &path]).output().expect("it runs");
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("ropeway"), "{unit}: {said}");
    }
}
