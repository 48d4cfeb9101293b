//! What a host has for itself. Most files lie over the machine's own ones of the same name.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Component, Path, PathBuf},
};

use anyhow::Result;

use crate::{
    accounts::{Account, LAB_ID},
    harness,
    network::{DOMAIN, Family, Place},
};

/// What `/etc/hosts` says on each host of a lab.
pub const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// Files of `/etc` that a host has for itself.
const ETC: &[&str] = &["hosts", "nsswitch.conf", "passwd", "group", "shadow"];

/// Bytes that the noisy account's shell prints before it does anything: more than a pipe's or ssh's first read.
const NOISE: usize = 10_240;

/// What is this host's own, and where its programs look for it.
pub fn binds(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let etc = ETC.iter().map(|file| (folder.join("etc").join(file), Path::new("/etc").join(file)));
    let mut binds: Vec<_> = etc.collect();
    if resolv_conf_in_run().is_none() {
        binds.push((folder.join("etc/resolv.conf"), "/etc/resolv.conf".into()));
    }
    binds.push((folder.join("run"), "/run".into()));
    binds.push((harness::folder_of_programs()?, programs(folder)));
    Ok(binds)
}

/// The programs of this workspace, in a place that all users of the host can reach.
pub fn programs(folder: &Path) -> PathBuf {
    folder.join("programs")
}

/// What the helper knows, instead of the folder that it has on an installed computer.
pub fn state_of_helper(folder: &Path) -> PathBuf {
    folder.join("state")
}

pub fn write(folder: &Path, place: Place) -> Result<()> {
    for part in ["etc", "run/sshd", "run/dbus", "programs"] {
        fs::create_dir_all(folder.join(part))?;
    }
    private(&state_of_helper(folder), 0)?;
    private(&folder.join("home/lab"), LAB_ID)?;
    for account in [Account::Root, Account::Person] {
        private(&folder.join(account.home()), account.id())?;
        private(&folder.join("run").join(account.runtime()), account.id())?;
    }
    write_noisy_shell(&folder.join("noisy-shell"))?;
    write_accounts(folder)?;
    write_names(folder, place)
}

fn private(folder: &Path, owner: u32) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    Ok(chown(folder, Some(owner), Some(owner))?)
}

fn write_accounts(folder: &Path) -> Result<()> {
    let (etc, at) = (folder.join("etc"), folder.display());
    let (ada, id) = (Account::Person.name(), Account::Person.id());
    fs::write(
        etc.join("passwd"),
        format!(
            "root:x:0:0::{at}/home/root:/bin/bash\n\
             lab:x:{LAB_ID}:{LAB_ID}::{at}/home/lab:/bin/bash\n\
             noisy:x:{LAB_ID}:{LAB_ID}::{at}/home/lab:{at}/noisy-shell\n\
             {ada}:x:{id}:{id}::{at}/home/{ada}:/bin/bash\n\
             sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n\
             nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        ),
    )?;
    fs::write(etc.join("group"), format!("root:x:0:\nlab:x:{LAB_ID}:\n{ada}:x:{id}:\nnogroup:x:65534:\n"))?;
    let names = ["root", "lab", "noisy", ada, "sshd", "nobody"];
    fs::write(etc.join("shadow"), names.map(|name| format!("{name}:*:1::::::\n")).concat())?;
    Ok(fs::set_permissions(etc.join("shadow"), fs::Permissions::from_mode(0o600))?)
}

/// The client asks the lab's name server, the server the one in the private network; to the others nobody has a name. No host has a cache daemon.
fn write_names(folder: &Path, place: Place) -> Result<()> {
    let (sources, servers) = match place {
        Place::Client => ("files dns", format!("nameserver {}\n", Place::Hub.address(Family::V4))),
        Place::Server => {
            ("files dns", format!("nameserver {}\nsearch {DOMAIN}\n", Place::Private.address(Family::V4)))
        }
        _ => ("files", String::new()),
    };
    let databases = format!("passwd: files\ngroup: files\nshadow: files\nhosts: {sources}\n");
    fs::write(folder.join("etc/nsswitch.conf"), databases)?;
    fs::write(hosts_file(folder), HOSTS)?;
    let file = resolv_conf(folder);
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(file, servers)?)
}

/// What the host's programs find as `/etc/resolv.conf`.
pub fn resolv_conf(folder: &Path) -> PathBuf {
    match resolv_conf_in_run() {
        Some(path) => folder.join("run").join(path),
        None => folder.join("etc/resolv.conf"),
    }
}

/// What the host's programs find as `/etc/hosts`.
pub fn hosts_file(folder: &Path) -> PathBuf {
    folder.join("etc/hosts")
}

/// On many machines `/etc/resolv.conf` is a link into `/run`, which a host has for itself: there it needs no mount,
/// but a file. This is its path below `/run`.
fn resolv_conf_in_run() -> Option<PathBuf> {
    below_run(&fs::read_link("/etc/resolv.conf").ok()?)
}

/// Of a link in `/etc`. Nothing has to be at its end.
fn below_run(link: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::from("/etc");
    for part in link.components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            part => place.push(part),
        }
    }
    place.strip_prefix("/run").map(Path::to_owned).ok()
}

/// A login shell that prints a banner first, as some `.bashrc` files do.
fn write_noisy_shell(file: &Path) -> Result<()> {
    let line = "*** This system is for authorised use only. $(exec) `true` \\0 'quoted ***\n";
    let banner = line.repeat(NOISE.div_ceil(line.len()));
    fs::write(file, format!("#!/bin/bash\ncat <<'BANNER'\n{banner}BANNER\nexec /bin/bash \"$@\"\n"))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_into_run_is_followed_by_its_name() {
        let path = |link: &str| below_run(Path::new(link)).map(|path| path.display().to_string());
        let stub = "systemd/resolve/stub-resolv.conf";
        assert_eq!(path(&format!("../run/{stub}")).as_deref(), Some(stub));
        assert_eq!(path(&format!("/run/{stub}")).as_deref(), Some(stub));
        assert_eq!(path("/mnt/wsl/resolv.conf"), None);
        assert_eq!(path("resolv.conf.static"), None);
    }
}
