//! What the lab needs from the machine, said before anything is changed.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail, ensure};
use nix::unistd::geteuid;

/// Program and Debian package.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("sshd", "openssh-server"),
    ("dbus-daemon", "dbus"),
    ("curl", "curl"),
    ("nc", "netcat-openbsd"),
];

/// Where programs of administrators are, also when `PATH` is a normal user's.
const SYSTEM: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Fails with the reason when a lab cannot be made here.
pub fn check() -> Result<()> {
    check_root()?;
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
        let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        packages.dedup();
        bail!("The lab needs {}: apt install {}", programs.join(", "), packages.join(" "));
    }
    ensure!(
        Path::new("/proc/sys/net/ipv6").exists(),
        "The lab needs IPv6, which is switched off in this kernel."
    );
    Ok(())
}

/// Fails with the reason when this process cannot enter or change a lab.
pub fn check_root() -> Result<()> {
    ensure!(
        is_root(),
        "The lab is made of network namespaces, which only root may make and enter: run it with sudo."
    );
    Ok(())
}

/// Whether this process may make labs; tests that cannot are skipped.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The program's full path; sshd insists on being started by one.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
