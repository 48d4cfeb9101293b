//! One table in the kernel: loaded without a gap, read back, and looked at later.

use std::{collections::BTreeMap, io};

use nix::errno::Errno;
use ropeway_helper_api::Count;

use crate::{
    kill,
    rules::{FirewallError, Script, State, Table},
};

use super::{
    encode,
    netlink::{Batch, CommitError, Socket},
    readback::{self, Owner},
};

/// Only each so many looks compare the elements of sets too: 0.1 s for 50 000 ranges, while the rest takes microseconds.
const LOOKS_PER_FULL_LOOK: u32 = 20;

/// Opens its socket when it is needed. An owned table belongs to that socket, so it cannot outlive this process.
pub struct KernelTable {
    table: Table,
    socket: Option<Socket>,
    seen: Option<Seen>,
    /// What is there was changed by another program, so its names mean nothing.
    strange: bool,
}

/// The table as it was loaded.
struct Seen {
    handle: u64,
    picture: u64,
    elements: u64,
    looks: u32,
}

impl KernelTable {
    pub fn new(table: Table) -> Self {
        Self { table, socket: None, seen: None, strange: false }
    }

    /// The names of what is there say what it is (sets and chains are named by content), also when an earlier process
    /// made it.
    pub fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        self.seen = None;
        let strange = std::mem::take(&mut self.strange);
        let socket = open(&mut self.socket)?;
        match owner(socket, self.table)? {
            Owner::Another => return Err(FirewallError::Busy),
            found if found == ours(self.table) && !strange => change(socket, script)?,
            Owner::Nobody if self.table.owned() => {
                // a table without an owner cannot get one; a program that saves and restores rules left it behind
                tracing::warn!("removing a table of our name that no helper owns");
                delete(socket, self.table)?;
                create(socket, script)?;
            }
            _ => create(socket, script)?,
        }
        self.seen = Some(confirmed(socket, script)?);
        Ok(())
    }

    /// Closing the socket alone would do it for an owned one; the explicit way can say what went wrong.
    pub fn remove(&mut self) -> Result<(), FirewallError> {
        self.seen = None;
        self.strange = false;
        if self.socket.is_none() && self.table.owned() {
            return Ok(());
        }
        let socket = open(&mut self.socket)?;
        let removed = match owner(socket, self.table)? {
            found if found == ours(self.table) => delete(socket, self.table),
            _ => Ok(()),
        };
        self.socket = None;
        removed
    }

    /// None of a table that was never loaded.
    pub fn counters(&mut self) -> Result<BTreeMap<String, Count>, FirewallError> {
        let Some(socket) = &self.socket else { return Ok(BTreeMap::new()) };
        readback::counters(socket, self.table).map_err(|e| unreadable(&e))
    }

    pub fn state(&mut self) -> Result<State, FirewallError> {
        let socket = open(&mut self.socket)?;
        let state = look(socket, self.table, self.seen.as_mut()).map_err(|e| unreadable(&e))?;
        self.strange |= state == State::Changed && self.seen.is_some();
        Ok(state)
    }
}

/// Whether the kernel has tables that belong to a socket: makes one of another name and takes it away, in one
/// transaction, which nobody sees.
pub fn probe() -> Result<(), FirewallError> {
    let mut socket = None;
    open(&mut socket)?.commit(encode::probe()).map_err(|error| FirewallError::Refused(error.to_string()))
}

/// Whose a table of this kind is when we made it.
fn ours(table: Table) -> Owner {
    if table.owned() { Owner::Us } else { Owner::Nobody }
}

/// An owned table needs no more than that: nobody else can change it.
fn look(socket: &Socket, table: Table, seen: Option<&mut Seen>) -> io::Result<State> {
    let found = readback::identity(socket, table)?;
    let Some(seen) = seen.filter(|_| found.owner != Owner::Absent) else {
        return Ok(if found.owner == Owner::Absent { State::Gone } else { State::Changed });
    };
    if found.owner != ours(table) || found.handle != seen.handle {
        return Ok(State::Changed);
    }
    if table.owned() {
        return Ok(State::Intact);
    }
    seen.looks += 1;
    let full = seen.looks.is_multiple_of(LOOKS_PER_FULL_LOOK);
    let same = readback::picture(socket, table)? == seen.picture
        && (!full || readback::picture_of_elements(socket, table)? == seen.elements);
    Ok(if same { State::Intact } else { State::Changed })
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
    commit(socket, script.table, "create table", encode::creation(script))
}

/// Refused between the first and the last, it leaves sets and chains that no rule uses, until the next change.
fn change(socket: &Socket, script: &Script) -> Result<(), FirewallError> {
    let before = readback::contents(socket, script.table).map_err(|e| unreadable(&e))?;
    let [new, switch, removal] = encode::change(&before, script);
    commit(socket, script.table, "add sets and chains", new)?;
    commit(socket, script.table, "switch rules", switch)?;
    commit(socket, script.table, "remove sets and chains", removal)
}

fn delete(socket: &Socket, table: Table) -> Result<(), FirewallError> {
    let mut batch = Batch::new();
    encode::delete_table(&mut batch, table);
    commit(socket, table, "remove table", batch)
}

fn commit(socket: &Socket, table: Table, what: &str, batch: Batch) -> Result<(), FirewallError> {
    if batch.is_empty() {
        return Ok(());
    }
    kill::around(what, || socket.commit(batch)).map_err(|error| refusal(socket, table, &error))
}

fn confirmed(socket: &Socket, script: &Script) -> Result<Seen, FirewallError> {
    let unreadable = |error: io::Error| FirewallError::Differs(format!("not readable: {error}"));
    if let Some(difference) = readback::difference(socket, script).map_err(unreadable)? {
        return Err(FirewallError::Differs(difference));
    }
    let handle = readback::identity(socket, script.table).map_err(unreadable)?.handle;
    if script.table.owned() {
        return Ok(Seen { handle, picture: 0, elements: 0, looks: 0 });
    }
    let picture = readback::picture(socket, script.table).map_err(unreadable)?;
    let elements = readback::picture_of_elements(socket, script.table).map_err(unreadable)?;
    Ok(Seen { handle, picture, elements, looks: 0 })
}

/// Another helper may have been faster since we looked.
fn refusal(socket: &Socket, table: Table, error: &CommitError) -> FirewallError {
    let owned = matches!(error.errno, Errno::EPERM | Errno::EBUSY);
    match readback::owner(socket, table) {
        Ok(Owner::Another) if owned => FirewallError::Busy,
        _ => FirewallError::Refused(error.to_string()),
    }
}

fn owner(socket: &Socket, table: Table) -> Result<Owner, FirewallError> {
    readback::owner(socket, table).map_err(|e| unreadable(&e))
}

fn unreadable(error: &io::Error) -> FirewallError {
    FirewallError::Refused(format!("the kernel does not tell its rules: {error}"))
}
