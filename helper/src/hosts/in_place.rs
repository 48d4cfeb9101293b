//! The same file with another end, where it cannot be replaced. What stays is not written, so readers always see it;
//! a crash in between is undone from the journal.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
};

use rustix::fs::OFlags;

use super::{
    HostsError, at,
    change::Change,
    journal::{self, Unfinished},
    snapshot::Snapshot,
};
use crate::{kill, store::Store};

/// `kept` is how much of the new text is not ours.
pub fn write(old: &Snapshot, text: &[u8], kept: usize, store: &Store) -> Result<Change, HostsError> {
    let path = &old.path;
    let flags = OFlags::NOFOLLOW.bits() as i32;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(at("open", path))?;
    let step = Unfinished::new(&old.bytes, text, kept);
    journal::note(store, path, Some(&step))?;
    let current = old.is_current().map_err(at("read", path))?;
    if current {
        overwrite(&file, &step).map_err(at("write", path))?;
    }
    journal::note(store, path, None)?;
    Ok(if current { Change::Made } else { Change::Overtaken })
}

/// On an error (a full disk) the old end comes back; it needs no new room.
fn overwrite(file: &File, step: &Unfinished) -> io::Result<()> {
    let written = write_end(file, step.from, &step.wanted);
    if written.is_err() {
        write_end(file, step.from, &step.before)?;
    }
    written
}

fn write_end(file: &File, from: u64, end: &[u8]) -> io::Result<()> {
    kill::around("write hosts", || file.write_all_at(end, from))?;
    kill::around("cut hosts", || file.set_len(from + end.len() as u64))?;
    file.sync_all()
}
