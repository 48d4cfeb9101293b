//! Runs one of our two fixed scripts as root. A user's engine asks polkit by pkexec, whose question shows the script
//! and its arguments; root's runs it as it is. What a user can write is data here, never a program.

use std::{
    io,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use nix::unistd::{Uid, geteuid};
use ropeway_helper_api::Grant;
use sha2::{Digest, Sha256};
use tokio::{
    fs,
    io::AsyncWriteExt,
    process::{Child, Command},
    time::timeout,
};

use super::terminal;
use crate::{
    api::{Code, Failure},
    setup_helper::SUBJECT,
    ssh::environment,
    sys::descriptors,
};

const INSTALL: &str = include_str!("../install.sh");
const REMOVE: &str = include_str!("../remove.sh");

/// While a person looks for the administrator's password; the rest takes a second.
const CONSENT: Duration = Duration::from_mins(2);

/// What pkexec ends with when the question was closed, and when the answer was no or it could not ask. The scripts
/// never do.
const DISMISSED: i32 = 126;
const NOT_RUN: i32 = 127;

/// Where the scripts put it.
const PLACE: &str = "/usr/local/libexec/ropeway-helper";

/// Puts a copy of this program in the helper's place, and grants the user who asks.
pub async fn install(program: &Path, grant: Grant) -> Result<(), Failure> {
    let unreadable = |error| failed(format!("{}: {error}", program.display()));
    let bytes = fs::read(program).await.map_err(unreadable)?;
    let by_hand = || install_by_hand(program, grant, geteuid());
    run(INSTALL, &[&sum(&bytes), grant.name()], &bytes, by_hand).await
}

pub async fn remove() -> Result<(), Failure> {
    run(REMOVE, &[], &[], || format!("{PLACE} --remove")).await
}

/// Whether anything is there, whatever the bus says.
pub fn is_installed() -> bool {
    Path::new(PLACE).exists()
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// `by_hand` is for where nobody can be asked.
async fn run(
    script: &str,
    arguments: &[&str],
    input: &[u8],
    by_hand: impl FnOnce() -> String,
) -> Result<(), Failure> {
    // pkexec does not wait for one
    let _agent = terminal::agent().await;
    let child = command(script, arguments).spawn().map_err(|error| {
        failed(format!("pkexec: {error}\nWithout it, an administrator can run: {}", by_hand()))
    })?;
    let nobody = |_| Failure::new(Code::Denied, SUBJECT, "nobody answered the question");
    let output = timeout(CONSENT, feed(child, input)).await.map_err(nobody)?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    outcome(output.status.code(), String::from_utf8_lossy(&output.stderr).trim())
}

fn install_by_hand(program: &Path, grant: Grant, user: Uid) -> String {
    let (program, grant) = (program.to_string_lossy(), grant.name());
    let program = shell_words::quote(&program);
    format!("install -D -m 755 {program} {PLACE} && {PLACE} --install --grant {grant} --for {user}")
}

fn command(script: &str, arguments: &[&str]) -> Command {
    let mut command = if geteuid().is_root() {
        Command::new("/bin/sh")
    } else {
        let mut pkexec = Command::new("pkexec");
        // in a terminal, `terminal` asks: pkexec's own agent would fight with us over it
        pkexec.args(["--disable-internal-agent", "/bin/sh"]);
        pkexec
    };
    command.args(["-c", script, "ropeway-setup"]).args(arguments);
    command.env_clear().envs(environment::cleaned(std::env::vars_os()));
    descriptors::as_before(command.as_std_mut());
    // it says who asked pkexec, and this engine may have been started by one
    command.env_remove("PKEXEC_UID");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // pkexec takes its question back when it ends; a script that runs already reads too few bytes and clears up
    command.kill_on_drop(true);
    command
}

async fn feed(mut child: Child, input: &[u8]) -> io::Result<Output> {
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // who was told no does not read it
            let _ = stdin.write_all(input).await;
        }
    };
    tokio::join!(child.wait_with_output(), feed).0
}

fn outcome(code: Option<i32>, said: &str) -> Result<(), Failure> {
    let code = match code {
        Some(0) => return Ok(()),
        Some(DISMISSED) => Code::Denied,
        // in English whatever the language is
        Some(NOT_RUN) if said.contains("Not authorized") || said.contains("authentication agent") => {
            Code::Denied
        }
        _ => Code::HelperSetup,
    };
    Err(Failure::new(code, SUBJECT, said))
}

fn failed(detail: String) -> Failure {
    Failure::new(Code::HelperSetup, SUBJECT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkexecs_no_is_told_from_what_went_wrong() {
        let code = |status, said: &str| outcome(status, said).err().map(|failure| failure.code);
        assert_eq!(code(Some(0), "a warning"), None);
        assert_eq!(code(Some(126), ""), Some(Code::Denied));
        let no =
            "Error executing command as another user: Not authorized\n\nThis incident has been reported.";
        assert_eq!(code(Some(127), no), Some(Code::Denied));
        let nobody = "Error executing command as another user: No authentication agent found.";
        assert_eq!(code(Some(127), nobody), Some(Code::Denied));
        assert_eq!(code(Some(127), "pkexec must be setuid root"), Some(Code::HelperSetup));
        let script = outcome(Some(1), "the program is not the one that was announced").unwrap_err();
        assert_eq!(script.code, Code::HelperSetup);
        assert_eq!(script.detail, "the program is not the one that was announced");
        assert_eq!(code(None, ""), Some(Code::HelperSetup), "killed");
    }

    /// What an administrator without polkit is told to run must do the same.
    #[test]
    fn the_way_by_hand_quotes_what_it_names() {
        let words = install_by_hand(Path::new("/opt/my app/ropeway-helper"), Grant::All, Uid::from_raw(1000));
        let place = "/usr/local/libexec/ropeway-helper";
        let expected = format!(
            "install -D -m 755 '/opt/my app/ropeway-helper' {place} && {place} --install --grant all --for 1000"
        );
        assert_eq!(words, expected);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let failure = install(Path::new("/nowhere/ropeway-helper"), Grant::Own).await.unwrap_err();
        assert_eq!(failure.code, Code::HelperSetup);
        assert!(failure.detail.contains("/nowhere/ropeway-helper"), "{failure:?}");
    }
}
