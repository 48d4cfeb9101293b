//! The names of all sessions in the system's hosts file: what may stand there, and how it gets there and away again.
//!
//! ```text
//! names     which names a session may have        text      the file with our blocks, and without (both pure)
//! snapshot  the file as it was at one instant     change    to a new text: replace, else in_place
//! journal   what to undo after a crash
//! ```
//! Start with [`HostsFile`].

mod change;
mod in_place;
pub mod journal;
pub mod names;
mod replace;
mod snapshot;
pub mod text;

use std::{
    fs::{self, File},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use change::{Change, TRIES};
use names::{BadList, Circumstances};
use ropeway_helper_api::{HostEntry, Hosts, RefusedHost};
use snapshot::Snapshot;
use text::Block;

use crate::{
    rules::{ClientId, Key},
    store::Store,
};

/// Where it is on every Unix.
pub const FILE: &str = "/etc/hosts";

/// We make no file larger than this: every resolver reads all of it. Lists of advertising hosts, the largest that people
/// keep, have 5 MB.
const MAX_SIZE: usize = 16 << 20;

/// Why the file could not be changed; then it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// No honest client asks for that.
    #[error(transparent)]
    Request(#[from] BadList),
    #[error("another helper has names in the hosts file")]
    Busy,
    #[error("with these names the file would have {0} bytes, at most {MAX_SIZE} are allowed")]
    TooLarge(usize),
    #[error("{} keeps changing", path.display())]
    Restless { path: PathBuf },
    #[error("{doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("journal: {0}")]
    Journal(#[source] io::Error),
}

/// The file, and whose names are in it.
#[derive(Debug)]
pub struct HostsFile {
    path: PathBuf,
    store: Store,
    blocks: Vec<(Key, Block)>,
    next_number: u64,
    /// While it is there, no other helper touches the journal and what it names.
    lock: Option<Arc<File>>,
    /// What the journal names.
    noted: Option<PathBuf>,
}

impl HostsFile {
    /// Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, store: Store) -> Self {
        Self { path: path.into(), store, blocks: vec![], next_number: 1, lock: None, noted: None }
    }

    /// These names, and no others, belong to the session from now on. `inside` says whether an address is in its
    /// routes. The refused ones are left out; an error changes nothing.
    pub fn set(
        &mut self,
        key: Key,
        hosts: &Hosts,
        inside: &dyn Fn(IpAddr) -> bool,
    ) -> Result<Vec<RefusedHost>, HostsError> {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let mut refused = vec![];
        let number = self.next_number;
        self.next_number += 1;
        self.change(|blocks, file| {
            let others = blocks.iter().filter(|(other, _)| *other != key);
            let earlier: Vec<&[HostEntry]> = others.map(|(_, block)| block.entries.as_slice()).collect();
            let file = &text::names(file);
            let circumstances = Circumstances { inside, file, earlier: &earlier, machine: &machine };
            let (entries, left_out) = names::check(hosts, &circumstances)?;
            refused = left_out;
            Ok(with(blocks, key, Block { number, entries }))
        })?;
        Ok(refused)
    }

    /// A session without names needs no removing.
    pub fn remove(&mut self, key: Key) -> Result<(), HostsError> {
        self.keep(|other| other != key)
    }

    pub fn remove_client(&mut self, client: ClientId) -> Result<(), HostsError> {
        self.keep(|key| key.client != client)
    }

    /// What is gone is not wanted back, also when the file cannot be changed now: the next call tries again.
    fn keep(&mut self, wanted: impl Fn(Key) -> bool) -> Result<(), HostsError> {
        self.blocks.retain(|(key, _)| wanted(*key));
        if self.lock.is_none() {
            return Ok(()); // nothing of ours is in the file
        }
        match self.change(|blocks, _| Ok(blocks.to_vec())) {
            Err(HostsError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            changed => changed,
        }
    }

    /// `wanted` makes of the blocks that are there, and of the rest of the file, the blocks that shall be there.
    fn change(
        &mut self,
        wanted: impl FnMut(&[(Key, Block)], &[u8]) -> Result<Blocks, HostsError>,
    ) -> Result<(), HostsError> {
        self.begin()?;
        let changed = self.attempt(wanted).map(|blocks| self.blocks = blocks);
        if self.blocks.is_empty() {
            return changed.and(self.let_go());
        }
        changed
    }

    fn attempt(
        &mut self,
        mut wanted: impl FnMut(&[(Key, Block)], &[u8]) -> Result<Blocks, HostsError>,
    ) -> Result<Blocks, HostsError> {
        for _ in 0..TRIES {
            let path = fs::canonicalize(&self.path).map_err(at("find", &self.path))?;
            let file = Snapshot::take(&path).map_err(at("read", &path))?;
            let rest = text::strip(&file.bytes);
            let blocks = wanted(&self.blocks, &rest)?;
            let plain: Vec<&Block> = blocks.iter().map(|(_, block)| block).collect();
            let text = text::merge(&rest, &plain);
            if text == file.bytes {
                return Ok(blocks);
            }
            if text.len() > MAX_SIZE && text.len() > file.bytes.len() {
                return Err(HostsError::TooLarge(text.len()));
            }
            self.note(&path)?;
            if change::write(&file, &text, rest.len(), &self.store)? == Change::Made {
                return Ok(blocks);
            }
        }
        Err(HostsError::Restless { path: self.path.clone() })
    }

    /// What a helper that was killed left comes away first.
    fn begin(&mut self) -> Result<(), HostsError> {
        if self.lock.is_none() {
            let lock = self.store.lock().map_err(HostsError::Journal)?.ok_or(HostsError::Busy)?;
            journal::replay(&self.store)?;
            self.lock = Some(lock);
        }
        Ok(())
    }

    /// A symlink may lead elsewhere today; then the file of yesterday is cleaned.
    fn note(&mut self, path: &Path) -> Result<(), HostsError> {
        if self.noted.as_deref() == Some(path) {
            return Ok(());
        }
        if self.noted.take().is_some() {
            journal::replay(&self.store)?;
        }
        journal::note(&self.store, path, None)?;
        self.noted = Some(path.into());
        Ok(())
    }

    fn let_go(&mut self) -> Result<(), HostsError> {
        journal::replay(&self.store)?;
        self.noted = None;
        self.lock = None;
        Ok(())
    }
}

type Blocks = Vec<(Key, Block)>;

/// The session keeps its place. One without names has no block, and equal names keep their number.
fn with(blocks: &[(Key, Block)], key: Key, block: Block) -> Blocks {
    let mut blocks = blocks.to_vec();
    match blocks.iter_mut().find(|(other, _)| *other == key) {
        Some((_, old)) => old.entries = block.entries,
        None => blocks.push((key, block)),
    }
    blocks.retain(|(_, block)| !block.entries.is_empty());
    blocks
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostsError {
    move |source| HostsError::File { doing, path: path.into(), source }
}
