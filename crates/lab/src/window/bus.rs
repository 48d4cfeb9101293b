//! A session bus with nothing on it: no service starts by itself, so what answers is what a test has put there.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};

use super::service::Service;
use crate::Host;

/// A running bus.
#[derive(Debug)]
pub struct Bus {
    address: String,
    _daemon: Service,
}

impl Bus {
    /// Its socket is a file, so that it is reached from every network namespace.
    pub fn start(host: &Host, folder: &Path) -> Result<Self> {
        let file = folder.join("bus.conf");
        fs::write(&file, configuration(&folder.join("bus")))?;
        let mut command = host.command("dbus-daemon")?;
        command
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", file.display()));
        let mut daemon = Service::start(command.stdout(Stdio::piped()), &folder.join("bus.log"))?;
        let address = daemon.first_line()?;
        ensure!(!address.is_empty(), "dbus-daemon ended at once; see {}", folder.join("bus.log").display());
        Ok(Self { address, _daemon: daemon })
    }

    /// As in `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes it the session bus of a program.
    pub fn join(&self, command: &mut Command) {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        // GTK would look for a bus of its own for screen readers, and wait for it
        command.env("NO_AT_BRIDGE", "1");
    }
}

fn configuration(socket: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <!-- the tests' panel is root's -->
    <allow user="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display()
    )
}
