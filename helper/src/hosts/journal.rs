//! What has to be undone if this process dies now: on the disk before the first change, away after the last.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    FILE, HostsError, at,
    change::{self, Change, TRIES},
    replace,
    snapshot::Snapshot,
    text,
};
use crate::store::Store;

/// In the store. The unit that runs at boot looks for this file.
pub const NAME: &str = "journal";

/// The file that has lines of ours, or may have.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    /// Where symlinks led when it was written.
    path: PathBuf,
    /// A write into the file itself that has begun.
    unfinished: Option<Unfinished>,
}

/// Turns one end of a file into another. Until that is done, the file can hold any mixture of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Where the two differ at the earliest, or where the first line of ours is.
    pub from: u64,
    pub before: Vec<u8>,
    pub wanted: Vec<u8>,
    /// How many bytes of `wanted` are not ours.
    pub kept: usize,
}

pub fn note(store: &Store, path: &Path, unfinished: Option<&Unfinished>) -> Result<(), HostsError> {
    let journal = Journal { path: path.into(), unfinished: unfinished.cloned() };
    store.write(NAME, &journal).map_err(HostsError::Journal)
}

/// Removes every line of ours from the file that the journal names, and then the journal. Does nothing without one.
pub fn replay(store: &Store) -> Result<(), HostsError> {
    if let Some(Journal { path, unfinished }) = read(store)? {
        replace::discard_scratch_of(&path).map_err(at("clean up beside", &path))?;
        clean(&path, unfinished.as_ref(), store)?;
    }
    store.remove(NAME).map_err(HostsError::Journal)
}

/// Of a journal that cannot be read we know what it is for.
fn read(store: &Store) -> Result<Option<Journal>, HostsError> {
    match store.read(NAME) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            tracing::warn!(%error, "the journal is damaged");
            Ok(Some(Journal { path: FILE.into(), unfinished: None }))
        }
        read => read.map_err(HostsError::Journal),
    }
}

fn clean(path: &Path, unfinished: Option<&Unfinished>, store: &Store) -> Result<(), HostsError> {
    for _ in 0..TRIES {
        let file = match Snapshot::take(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(at("read", path))?,
        };
        let mended = unfinished.and_then(|step| step.undone(&file.bytes));
        let text = mended.unwrap_or_else(|| text::strip(&file.bytes));
        if text == file.bytes {
            return Ok(());
        }
        if change::write(&file, &text, text.len(), store)? == Change::Made {
            return Ok(());
        }
    }
    Err(HostsError::Restless { path: path.into() })
}

impl Unfinished {
    pub fn new(before: &[u8], wanted: &[u8], kept: usize) -> Self {
        let same = before.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let from = same.min(kept);
        Self {
            from: from as u64,
            before: before[from..].into(),
            wanted: wanted[from..].into(),
            kept: kept - from,
        }
    }

    /// The file without our lines; None when it is no mixture of the two, because somebody else has changed it since.
    pub fn undone(&self, file: &[u8]) -> Option<Vec<u8>> {
        let (start, end) = file.split_at_checked(self.from as usize)?;
        let lengths = [self.before.len(), self.wanted.len()];
        let possible = lengths[0].min(lengths[1])..=lengths[0].max(lengths[1]);
        let of_either = |(i, byte)| self.before.get(i) == Some(byte) || self.wanted.get(i) == Some(byte);
        let mixture = possible.contains(&end.len()) && end.iter().enumerate().all(of_either);
        mixture.then(|| [start, &self.wanted[..self.kept]].concat())
    }
}
