//! Which cipher comes first. ssh's own first choice, chacha20-poly1305, is the best where processors have no
//! instructions for AES; where both have them, AES-GCM moves twice as much. What the user's or the administrator's
//! configuration names is never touched, and no cipher is ever taken away.

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Command as StdCommand, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::{command, environment};
use crate::{guard, profile::Server, sys::descriptors};

/// What is put before all others.
const FIRST: [&str; 2] = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"];

/// How long ssh may take to say what its configuration is: it takes milliseconds, but a `Match exec` may do anything.
const ANSWER: Duration = Duration::from_secs(2);

/// Whether this computer's processor has instructions for AES.
pub fn hardware_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[allow(unreachable_code, reason = "other processors")]
    false
}

/// What to add to the login's command line: nothing, or an option. To be asked only where both processors are known to
/// have AES, because it costs a start of ssh.
pub async fn option(
    program: &[String],
    server: &Server,
    socket: &Path,
    cgroup: Option<&Path>,
) -> Option<String> {
    let login = configuration(command::configuration(program, server, socket)?, cgroup);
    let plain = configuration(command::defaults(program)?, cgroup);
    match timeout(ANSWER, async { tokio::try_join!(login, plain) }).await {
        Ok(Ok((login, plain))) => choose(&login, &plain),
        Ok(Err(error)) => {
            tracing::debug!(%error, "ssh does not say which ciphers it would use");
            None
        }
        Err(_) => None,
    }
}

/// What `ssh -G` says of the login, and of an ssh that nobody has configured. The whole list is written out in its new
/// order, because ssh before 8.0 does not know how to put something in front.
fn choose(login: &str, plain: &str) -> Option<String> {
    let (login, plain) = (ciphers(login)?, ciphers(plain)?);
    let named_by_somebody = login != plain;
    let (first, rest): (Vec<_>, Vec<_>) = plain.into_iter().partition(|cipher| FIRST.contains(cipher));
    let list = [first, rest].concat().join(",");
    (!named_by_somebody && list.starts_with(&FIRST.join(","))).then(|| format!("Ciphers={list}"))
}

fn ciphers(configuration: &str) -> Option<Vec<&str>> {
    let list = configuration.lines().find_map(|line| line.strip_prefix("ciphers "))?;
    Some(list.trim().split(',').collect())
}

pub(super) async fn configuration(args: Vec<OsString>, cgroup: Option<&Path>) -> io::Result<String> {
    let (name, rest) = args.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = StdCommand::new(name);
    command.args(rest).env_clear().envs(environment::cleaned(std::env::vars_os()));
    descriptors::as_before(&mut command);
    if let Some(folder) = cgroup {
        // a `Match exec` may ask the network, as it may at the login
        guard::enter(&mut command, folder)?;
    }
    let output = Command::from(command)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(io::Error::other(format!("ssh -G: {}", output.status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 8.0 and of 10.0.
    const PLAIN: [&str; 2] = [
        "user me\nciphers chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com\nmacs x\n",
        "ciphers chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr\n",
    ];

    #[test]
    fn where_nobody_names_a_cipher_gcm_comes_first_and_none_is_lost() {
        for plain in PLAIN {
            let list = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr";
            assert_eq!(choose(plain, plain), Some(format!("Ciphers={list}")));
        }
    }

    #[test]
    fn who_names_ciphers_is_left_alone() {
        for login in ["ciphers aes256-ctr\n", "ciphers chacha20-poly1305@openssh.com\n", PLAIN[1]] {
            assert_eq!(choose(login, PLAIN[0]), None, "{login}");
        }
    }

    #[test]
    fn an_ssh_that_has_no_gcm_or_does_not_say_is_left_alone() {
        for told in ["", "ciphers aes128-ctr\n", "ciphers aes128-ctr,aes128-gcm@openssh.com\n", "ciphers \n"]
        {
            assert_eq!(choose(told, told), None, "{told}");
        }
    }

    /// The ssh of this machine, with configurations in all the places where ciphers can be named.
    #[tokio::test]
    async fn the_real_ssh_says_what_its_user_has_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let empty = file("empty", "Host *\n  User me\n");
        let named = file("named", "Host bastion\n  Ciphers aes256-ctr\n");
        let matching = file("matching", "Match exec true\n  Ciphers -aes128-ctr\n");
        let server = Server::parse("bastion").unwrap();
        let ask = async |words: &[&str]| {
            let program: Vec<String> = words.iter().map(ToString::to_string).collect();
            option(&program, &server, &folder.path().join("socket"), None).await
        };
        let chosen = ask(&["ssh", "-F", &empty]).await.unwrap();
        assert!(
            chosen.starts_with("Ciphers=aes128-gcm@openssh.com,") && chosen.contains("chacha20"),
            "{chosen}"
        );
        for left_alone in [
            &["ssh", "-F", &named][..],
            &["ssh", "-F", &matching],
            &["ssh", "-F", &empty, "-c", "aes256-ctr"],
            &["ssh", "-F", &empty, "-oCiphers=aes256-ctr"],
            &["no-such-program"],
            &["my-wrapper", "ssh"],
        ] {
            assert_eq!(ask(left_alone).await, None, "{left_alone:?}");
        }
    }
}
