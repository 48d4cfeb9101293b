//! The system bus, and the helper on it.

use ropeway_lab::{Host, Process, harness::lab_or_skip};

use crate::person::shell;

const CALL: &str = "dbus-send --system --print-reply --dest=";

#[test]
fn the_system_bus_starts_the_helper_for_whoever_asks() {
    let Some(lab) = lab_or_skip("bus") else { return };
    let client = lab.client();
    assert_eq!(helpers(&client).len(), 0);
    let ask = "org.ropeway.Helper1 /org/ropeway/Helper1 org.ropeway.Helper1.Grants";
    let said = shell(&client, &format!("{CALL}{ask}"));
    let grants: Vec<_> =
        said.split_whitespace().filter(|word| *word == "59002" || *word == "\"own\"").collect();
    assert_eq!(grants, ["59002", "\"own\""], "{said}");
    assert!(helpers(&client)[0].is_system_helper(), "it runs in the client's network");
    assert_eq!(lab.stray_processes(), [], "it belongs to the system");
}

#[test]
fn nobody_but_root_can_be_the_helper() {
    let Some(lab) = lab_or_skip("pretend") else { return };
    let ask = "org.freedesktop.DBus / org.freedesktop.DBus.RequestName string:org.ropeway.Helper1 uint32:0";
    let script = format!("{CALL}{ask} 2>&1 || true");
    assert!(shell(&lab.client(), &script).contains("AccessDenied"));
    assert!(!shell(&lab.client().as_root(), &script).contains("AccessDenied"));
}

fn helpers(host: &Host) -> Vec<Process> {
    host.processes().into_iter().filter(|process| process.name == "ropeway-helper").collect()
}
