//! Keys, and the configurations of ssh and sshd.

use std::{fmt::Write as _, fs, os::unix::fs::chown, path::Path, process::Command};

use anyhow::{Result, ensure};

use super::Folder;
use crate::{
    accounts::Account,
    link, needs,
    network::{Family, Place, SERVER_NAME, ports, server_behind_jump},
};

/// Key pairs: who has them is told by their names.
const KEYS: &[&str] = &["user", "stranger", "former-server", "client", "jump", "server", "private"];

/// The person's; ssh refuses a key that others can read.
const KEYS_OF_PERSON: &[&str] = &["user", "stranger"];

/// Places with an sshd, its port there, and the key it shows.
pub const SSHDS: &[(Place, u16)] = &[
    (Place::Client, ports::SSH_ON_CLIENT),
    (Place::Jump, ports::SSH),
    (Place::Server, ports::SSH),
    (Place::Private, ports::SSH),
];

pub fn write(folder: &Folder, lab: &str) -> Result<()> {
    fs::create_dir(folder.0.join("keys"))?;
    for key in KEYS {
        make_key(&folder.key(key), key)?;
    }
    for key in KEYS_OF_PERSON {
        chown(folder.key(key), Some(Account::Person.id()), Some(Account::Person.id()))?;
    }
    for (place, port) in SSHDS {
        fs::write(folder.sshd_config(*place), sshd_config(folder, lab, *place, *port))?;
    }
    fs::write(folder.0.join("known_hosts"), known_hosts(folder)?)?;
    Ok(fs::write(folder.ssh_config(), ssh_config(folder))?)
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
    for (name, key) in [
        ("client", "client"),
        ("jump", "jump"),
        ("server", "server"),
        ("private", "private"),
        ("changed-host-key", "former-server"),
    ] {
        let line = fs::read_to_string(folder.key(key).with_extension("pub"))?;
        let key = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        writeln!(text, "{name} {key}")?;
    }
    Ok(text)
}

fn ssh_config(folder: &Folder) -> String {
    let (server, server6) = (Place::Server.address(Family::V4), Place::Server.address(Family::V6));
    let (jump, client) = (Place::Jump.address(Family::V4), Place::Client.address(Family::V4));
    let (behind, private) = (server_behind_jump(), Place::Private.address(Family::V4));
    let over_link = link::ENDS[1];
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
         Host server-by-name\n  HostName {SERVER_NAME}\n\
         Host server-behind-jump\n  HostName {behind}\n\
         Host server-via-jump\n  HostName {behind}\n  ProxyJump jump\n\
         Host server-via-nc\n  ProxyCommand nc %h %p\n\
         Host server-over-link\n  HostName {over_link}\n\
         Host private-via-two\n  HostName {private}\n  HostKeyAlias private\n\
         \x20 ProxyJump jump,server-behind-jump\n\
         Host server server-* wrong-key noisy-server changed-host-key unknown-host-key\n\
         \x20 HostName {server}\n  HostKeyAlias server\n\
         Host * !wrong-key\n  IdentityFile {user}\n\
         Host *\n  User lab\n  IdentitiesOnly yes\n  IdentityAgent none\n\
         \x20 UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n",
        ports::SSH_ON_CLIENT,
    )
}
