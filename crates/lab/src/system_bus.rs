//! The client's system bus: it starts the helper for whoever asks, as it does on an installed computer, and the
//! helper finds the grants that a lab's person was given beforehand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use ropeway_helper_api::{Grant, bus};

use crate::{accounts::Account, files, host::Host};

/// What an installation gives to the bus: who may be the helper, and who may ask it.
const POLICY: &str = include_str!("../../../installers/linux/org.ropeway.Helper1.conf");

/// Its name beside the configuration.
const POLICY_FILE: &str = "org.ropeway.Helper1.conf";

/// The name of its configuration, by which its process is recognised.
pub const CONFIGURATION: &str = "system-bus.conf";

/// Writes what it and the helper find when they start.
pub fn write(client: &Path) -> Result<()> {
    let services = client.join("services");
    fs::create_dir(&services)?;
    fs::write(services.join(format!("{}.service", bus::NAME)), service(client))?;
    fs::write(client.join(POLICY_FILE), POLICY)?;
    fs::write(client.join(CONFIGURATION), configuration(&services))?;
    grant(client, Grant::Own)
}

/// The daemon, ready to start.
pub fn daemon(client: &Host) -> Result<Command> {
    let mut command = client.as_root().command("dbus-daemon")?;
    let file = client.folder().join(CONFIGURATION);
    command.args(["--nofork", "--nopidfile"]).arg(format!("--config-file={}", file.display()));
    Ok(command)
}

/// Its socket, seen from outside.
pub fn socket(client: &Path) -> PathBuf {
    client.join("run/dbus/system_bus_socket")
}

/// Replaces the file of grants; a helper reads it when it starts.
pub fn grant(client: &Path, grant: Grant) -> Result<()> {
    let grants = serde_json::json!({ Account::Person.id().to_string(): grant });
    Ok(fs::write(files::state_of_helper(client).join("grants"), serde_json::to_vec(&grants)?)?)
}

/// Of root, because the bus is.
fn service(client: &Path) -> String {
    let helper = files::programs(client).join("ropeway-helper");
    format!("[D-BUS Service]\nName={}\nExec={} --bus\nUser=root\n", bus::NAME, helper.display())
}

/// The standard policy of a system bus, and our own.
fn configuration(services: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>{POLICY_FILE}</include>
</busconfig>
"#,
        services.display()
    )
}
