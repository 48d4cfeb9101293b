//! The programs of iptables: these and no others, with an empty environment and text on standard input. Both families.

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{
    kill,
    rules::{
        FirewallError, State,
        iptables::{JOURNAL, Lines, ours, removal, restore},
    },
    store::Store,
};

/// Where distributions put them. Nobody but root can write there.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// IPv4 and IPv6.
const FAMILIES: [&str; 2] = ["iptables", "ip6tables"];

/// Whether the programs are there and do something. The legacy ones need a raw socket, which this process may not have.
pub fn look_for() -> Result<(), String> {
    FAMILIES.iter().try_for_each(|family| {
        program(family, "restore").map_err(|e| e.to_string())?;
        saved(family).map(drop).map_err(|error| error.to_string())
    })
}

/// All or nothing for each family, one after the other; then it is read back.
pub fn replace(wanted: &[Lines; 2]) -> Result<(), FirewallError> {
    for (family, lines) in FAMILIES.iter().zip(wanted) {
        let text = restore(lines, &saved(family).map_err(|e| refused(&e))?);
        kill::around("iptables-restore", || load(family, &text)).map_err(|e| refused(&e))?;
    }
    match state(wanted)? {
        State::Intact => Ok(()),
        found => Err(FirewallError::Differs(format!("{found:?}"))),
    }
}

pub fn remove() -> Result<(), FirewallError> {
    for family in FAMILIES {
        if let Some(text) = removal(&saved(family).map_err(|e| refused(&e))?) {
            kill::around("iptables-restore", || load(family, &text)).map_err(|e| refused(&e))?;
        }
    }
    Ok(())
}

pub fn state(wanted: &[Lines; 2]) -> Result<State, FirewallError> {
    let mut state = State::Intact;
    for (family, lines) in FAMILIES.iter().zip(wanted) {
        let found = ours(&saved(family).map_err(|e| refused(&e))?);
        if found == Lines::default() {
            return Ok(State::Gone);
        }
        if found != *lines {
            tracing::debug!(family, ?found, wanted = ?lines, "differs");
            state = State::Changed;
        }
    }
    Ok(state)
}

/// Removes what a helper that died left; nothing, when none has loaded anything. For who holds the lock of the store.
pub fn undo(store: &Store) -> Result<(), FirewallError> {
    if store.read::<bool>(JOURNAL).map_err(|e| refused(&e))?.is_none() {
        return Ok(());
    }
    remove()?;
    store.remove(JOURNAL).map_err(|e| refused(&e))
}

fn saved(family: &str) -> io::Result<String> {
    let output = command(family, "save")?.args(["-t", "nat"]).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&checked(family, output)?.stdout).into_owned())
}

fn load(family: &str, text: &str) -> io::Result<()> {
    let mut child = command(family, "restore")?
        .args(["--noflush", "--wait", "5"]) // seconds for another program's lock
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes()); // one that ends early says why
    }
    checked(family, child.wait_with_output()?).map(drop)
}

fn checked(family: &str, output: Output) -> io::Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    Err(io::Error::other(format!("{family}: {first}")))
}

fn command(family: &str, verb: &str) -> io::Result<Command> {
    let mut command = Command::new(program(family, verb)?);
    command.env_clear().current_dir("/");
    Ok(command)
}

fn program(family: &str, verb: &str) -> io::Result<String> {
    let places = FOLDERS.iter().map(|folder| format!("{folder}/{family}-{verb}"));
    let found = places.into_iter().find(|place| Path::new(place).exists());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no {family}-{verb}")))
}

fn refused(error: &io::Error) -> FirewallError {
    FirewallError::Refused(error.to_string())
}
