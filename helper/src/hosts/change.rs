//! One change of the file, by the safest means that it allows.

use super::{HostsError, at, in_place, replace, snapshot::Snapshot};
use crate::store::Store;

/// How often a change is begun anew because somebody else was faster. Only a program that never stops writing needs more.
pub const TRIES: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Made,
    /// Somebody else has changed the file since the snapshot; theirs is there, and nothing of ours.
    Overtaken,
}

/// Gives the file this text, of which `kept` bytes are not ours. The journal must name the file already.
pub fn write(old: &Snapshot, text: &[u8], kept: usize, store: &Store) -> Result<Change, HostsError> {
    match replace::replace(old, text).map_err(at("replace", &old.path))? {
        Some(change) => Ok(change),
        None => in_place::write(old, text, kept, store),
    }
}
