//! The files of a lab: keys, accounts, homes, and the configurations of ssh and sshd.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    needs,
    network::{Family, Place, ports, server_behind_jump},
};

/// What `/etc/hosts` says on each host of a lab.
pub const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// The normal user's number on jump and server. No distribution hands it out, so it is nobody else's.
const USER_ID: u32 = 59_001;

/// Bytes that the noisy account's shell prints before it does anything: more than a pipe's or ssh's first read.
const NOISE: usize = 10_240;

/// Key pairs: who has them is told by their names.
const KEYS: &[&str] = &["user", "stranger", "former-server", "client", "jump", "server"];

/// Places with an sshd, its port there, and the key it shows.
pub const SSHDS: &[(Place, u16)] =
    &[(Place::Client, ports::SSH_ON_CLIENT), (Place::Jump, ports::SSH), (Place::Server, ports::SSH)];

/// Where a lab keeps its files. A root-only place that programs may run from, which `/run` need not be.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Of the lab of that name.
    pub fn of(lab: &str) -> Self {
        Self(Self::all().join(lab))
    }

    /// The parent of all labs' folders.
    pub fn all() -> PathBuf {
        "/var/lib/ropeway-lab".into()
    }

    /// What a host has for itself: `etc/`, `run/`, `home/`.
    pub fn host(&self, place: Place) -> PathBuf {
        self.0.join(place.name())
    }

    /// The lab as data.
    pub fn state(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// The user's ssh configuration on the client.
    pub fn ssh_config(&self) -> PathBuf {
        self.0.join("ssh_config")
    }

    /// The configuration of a host's sshd.
    pub fn sshd_config(&self, place: Place) -> PathBuf {
        self.host(place).join("sshd_config")
    }

    /// What a host's service said.
    pub fn log(&self, place: Place, service: &str) -> PathBuf {
        self.host(place).join(format!("{service}.log"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(name)
    }

    fn public_key(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.key(name).with_extension("pub"))?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }
}

/// Writes everything; the folder itself is there.
pub fn write(folder: &Folder, lab: &str) -> Result<()> {
    fs::create_dir(folder.0.join("keys"))?;
    for key in KEYS {
        make_key(&folder.key(key), key)?;
    }
    for place in Place::ALL {
        write_host(&folder.host(place)).with_context(|| format!("files of the lab's {}", place.name()))?;
    }
    for (place, port) in SSHDS {
        fs::write(folder.sshd_config(*place), sshd_config(folder, lab, *place, *port))?;
    }
    fs::write(folder.0.join("known_hosts"), known_hosts(folder)?)?;
    fs::write(folder.ssh_config(), ssh_config(folder))?;
    Ok(())
}

fn make_key(file: &Path, comment: &str) -> Result<()> {
    let program = needs::find("ssh-keygen").unwrap_or_else(|| "ssh-keygen".into());
    let output = Command::new(program)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(file)
        .output()?;
    ensure!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn write_host(folder: &Path) -> Result<()> {
    for part in ["etc", "run/sshd", "run/user/0", "home/root", "home/lab"] {
        fs::create_dir_all(folder.join(part))?;
    }
    for private in ["run/user/0", "home/root", "home/lab"] {
        fs::set_permissions(folder.join(private), fs::Permissions::from_mode(0o700))?;
    }
    chown(folder.join("home/lab"), Some(USER_ID), Some(USER_ID))?;
    write_noisy_shell(&folder.join("noisy-shell"))?;
    write_accounts(folder)
}

fn write_accounts(folder: &Path) -> Result<()> {
    let (etc, at) = (folder.join("etc"), folder.display());
    fs::write(
        etc.join("passwd"),
        format!(
            "root:x:0:0::{at}/home/root:/bin/bash\n\
             lab:x:{USER_ID}:{USER_ID}::{at}/home/lab:/bin/bash\n\
             noisy:x:{USER_ID}:{USER_ID}::{at}/home/lab:{at}/noisy-shell\n\
             sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n\
             nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        ),
    )?;
    fs::write(etc.join("group"), format!("root:x:0:\nlab:x:{USER_ID}:\nnogroup:x:65534:\n"))?;
    fs::write(
        etc.join("shadow"),
        "root:*:1::::::\nlab:*:1::::::\nnoisy:*:1::::::\nsshd:*:1::::::\nnobody:*:1::::::\n",
    )?;
    fs::set_permissions(etc.join("shadow"), fs::Permissions::from_mode(0o600))?;
    fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")?;
    fs::write(etc.join("hosts"), HOSTS)?;
    Ok(())
}

/// A login shell that prints a banner first, as some `.bashrc` files do.
fn write_noisy_shell(file: &Path) -> Result<()> {
    let line = "*** This system is for authorised use only. $(exec) `true` \\0 'quoted ***\n";
    let banner = line.repeat(NOISE.div_ceil(line.len()));
    fs::write(file, format!("#!/bin/bash\ncat <<'BANNER'\n{banner}BANNER\nexec /bin/bash \"$@\"\n"))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Without PAM, so that nothing of the machine's own log-in rules applies.
fn sshd_config(folder: &Folder, lab: &str, place: Place, port: u16) -> String {
    format!(
        "Port {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\n\
         SetEnv ROPEWAY_LAB={lab}\n",
        folder.key(place.name()).display(),
        folder.key("user").with_extension("pub").display(),
    )
}

/// Names are what ssh looks up: the aliases, each with the key that its host shows, or must not show.
fn known_hosts(folder: &Folder) -> Result<String> {
    let mut text = String::new();
    for (name, key) in
        [("client", "client"), ("jump", "jump"), ("server", "server"), ("changed-host-key", "former-server")]
    {
        writeln!(text, "{name} {}", folder.public_key(key)?)?;
    }
    Ok(text)
}

fn ssh_config(folder: &Folder) -> String {
    let (server, server6) = (Place::Server.address(Family::V4), Place::Server.address(Family::V6));
    let (jump, client) = (Place::Jump.address(Family::V4), Place::Client.address(Family::V4));
    let behind = server_behind_jump();
    let (user, stranger) = (folder.key("user"), folder.key("stranger"));
    let (user, stranger) = (user.display(), stranger.display());
    let known = folder.0.join("known_hosts");
    let known = known.display();
    format!(
        "# ssh takes the first value that it finds, so the special comes before the common.\n\
         Host wrong-key\n  IdentityFile {stranger}\n\
         Host noisy-server\n  User noisy\n\
         Host server-root\n  User root\n\
         Host changed-host-key\n  HostKeyAlias changed-host-key\n\
         Host unknown-host-key\n  HostKeyAlias unknown-host-key\n\
         Host jump\n  HostName {jump}\n  HostKeyAlias jump\n\
         Host same-machine\n  HostName {client}\n  Port {}\n  HostKeyAlias client\n\
         Host server-v6\n  HostName {server6}\n\
         Host server-via-jump\n  HostName {behind}\n  ProxyJump jump\n\
         Host server-via-nc\n  ProxyCommand nc %h %p\n\
         Host server server-* wrong-key noisy-server changed-host-key unknown-host-key\n\
         \x20 HostName {server}\n  HostKeyAlias server\n\
         Host * !wrong-key\n  IdentityFile {user}\n\
         Host *\n  User lab\n  IdentitiesOnly yes\n  IdentityAgent none\n\
         \x20 UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n",
        ports::SSH_ON_CLIENT,
    )
}
