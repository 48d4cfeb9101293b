//! The table in the kernel. It belongs to our netlink socket, so it cannot outlive this process.

use std::io;

use nix::errno::Errno;

use crate::rules::{Firewall, FirewallError, Script};

use super::{
    encode,
    netlink::{Batch, CommitError, Socket},
    readback::{self, Owner},
};

/// Opens its socket when the first rules come.
#[derive(Default)]
pub struct Table {
    socket: Option<Socket>,
    /// What the kernel has; None when it has nothing, or perhaps something else than was wanted.
    loaded: Option<Script>,
}

impl Firewall for Table {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        let socket = open(&mut self.socket)?;
        match self.loaded.take() {
            Some(before) => change(socket, &before, script)?,
            None => create(socket, script)?,
        }
        match readback::difference(socket, script) {
            Ok(None) => self.loaded = Some(script.clone()),
            Ok(Some(difference)) => return Err(FirewallError::Differs(difference)),
            Err(error) => return Err(FirewallError::Differs(format!("not readable: {error}"))),
        }
        Ok(())
    }

    /// Closing the socket alone would do it; the explicit way can say what went wrong.
    fn remove(&mut self) -> Result<(), FirewallError> {
        self.loaded = None;
        let Some(socket) = self.socket.take() else { return Ok(()) };
        match readback::owner(&socket).map_err(|e| unreadable(&e))? {
            Owner::Us => delete(&socket),
            _ => Ok(()),
        }
    }
}

fn open(place: &mut Option<Socket>) -> Result<&Socket, FirewallError> {
    match place {
        Some(socket) => Ok(socket),
        none => {
            let socket = Socket::open().map_err(|e| FirewallError::Refused(format!("no nf_tables: {e}")))?;
            Ok(none.insert(socket))
        }
    }
}

fn create(socket: &Socket, script: &Script) -> Result<(), FirewallError> {
    clear_the_place(socket)?;
    commit(socket, encode::creation(script))
}

/// Refused between the two, it leaves sets that no rule uses, until the table is made anew the next time.
fn change(socket: &Socket, before: &Script, script: &Script) -> Result<(), FirewallError> {
    let [sets, rules] = encode::change(before, script);
    commit(socket, sets)?;
    commit(socket, rules)
}

fn commit(socket: &Socket, batch: Batch) -> Result<(), FirewallError> {
    socket.commit(batch).map_err(|error| refusal(socket, &error))
}

/// A table of our name without an owner cannot get one. Nobody but a helper makes such tables, and always with
/// an owner, so it was left behind by a program that saves and restores rules.
fn clear_the_place(socket: &Socket) -> Result<(), FirewallError> {
    match readback::owner(socket).map_err(|e| unreadable(&e))? {
        Owner::Another => Err(FirewallError::Busy),
        Owner::Nobody => {
            tracing::warn!("removing a table of our name that no helper owns");
            delete(socket)
        }
        Owner::Absent | Owner::Us => Ok(()),
    }
}

fn delete(socket: &Socket) -> Result<(), FirewallError> {
    let mut batch = Batch::new();
    encode::delete_table(&mut batch);
    commit(socket, batch)
}

/// Another helper may have been faster since we looked.
fn refusal(socket: &Socket, error: &CommitError) -> FirewallError {
    let owned = matches!(error.errno, Errno::EPERM | Errno::EBUSY);
    match readback::owner(socket) {
        Ok(Owner::Another) if owned => FirewallError::Busy,
        _ => FirewallError::Refused(error.to_string()),
    }
}

fn unreadable(error: &io::Error) -> FirewallError {
    FirewallError::Refused(format!("the kernel does not tell its rules: {error}"))
}
