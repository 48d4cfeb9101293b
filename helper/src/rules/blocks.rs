//! What is kept closed, by whom, and what crashes left closed. The list is on the disk before the kernel has it, so that
//! a helper that starts after a crash knows whose the table is.

use std::{collections::BTreeSet, fs::File, sync::Arc};

use ropeway_helper_api::{Grant, limit};
use serde::{Deserialize, Serialize};

use crate::store::Store;

use super::{
    Changed, ClientId, Firewall, FirewallError, Key, LoadError, SessionBlock, State, Table, block::render,
    sessions::is_intact, share,
};

/// The file of the store.
const FILE: &str = "blocks";

/// All blocks, in the order in which they came.
pub struct Blocks {
    store: Store,
    /// Held as long as this process has to do with blocks; None while another helper has it.
    lock: Option<Arc<File>>,
    /// The table is there, and the list of what it closes could not be read. It stays until root opens everything.
    unknown: bool,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// None for one that a crash left.
    key: Option<Key>,
    block: SessionBlock,
}

/// The file. After a boot the kernel has no table, so what an older one says is not true any more.
#[derive(Serialize, Deserialize)]
struct Written<B> {
    boot: String,
    blocks: Vec<B>,
}

impl Blocks {
    /// What an earlier helper of this boot left in the kernel.
    pub fn take_up(store: Store, firewall: &mut impl Firewall) -> Self {
        let mut blocks = Self { store, lock: None, unknown: false, entries: vec![] };
        match blocks.begin(firewall) {
            Ok(()) => {}
            Err(error @ LoadError::Firewall(FirewallError::Busy)) => {
                tracing::info!(%error, "another helper looks after what is kept closed");
            }
            Err(error) => tracing::error!(%error, "what an earlier helper left closed"),
        }
        blocks
    }

    pub fn set(
        &mut self,
        key: Key,
        block: SessionBlock,
        firewall: &mut impl Firewall,
    ) -> Result<(), LoadError> {
        self.begin(firewall)?;
        let id = (block.uid, block.block.id);
        // what a living session keeps closed is not another's to change
        let same = self.entries.iter().find(|entry| (entry.block.uid, entry.block.block.id) == id);
        if same.is_some_and(|entry| entry.key.is_some_and(|other| other != key)) {
            return Err(LoadError::Taken);
        }
        let replaced =
            |entry: &Entry| entry.key == Some(key) || (entry.block.uid, entry.block.block.id) == id;
        let mut wanted: Vec<Entry> = self.entries.iter().filter(|entry| !replaced(entry)).cloned().collect();
        if wanted.iter().filter(|entry| entry.block.uid == block.uid).count() >= limit::SESSIONS {
            return Err(LoadError::TooManyBlocks);
        }
        let uid = block.uid;
        wanted.push(Entry { key: Some(key), block });
        let own: Vec<&SessionBlock> =
            wanted.iter().map(|entry| &entry.block).filter(|block| block.uid == uid).collect();
        share::check(&render(&own)?)?;
        self.change_to(wanted, firewall)
    }

    pub fn unload(&mut self, key: Key, firewall: &mut impl Firewall) -> Result<(), LoadError> {
        self.keep(|entry| entry.key != Some(key), firewall).map(drop)
    }

    pub fn leave(&mut self, client: ClientId) {
        for entry in &mut self.entries {
            entry.key = entry.key.filter(|key| key.client != client);
        }
    }

    pub fn leftovers(&self, uid: u32) -> (u32, u32) {
        let (mine, others): (Vec<_>, Vec<_>) =
            self.entries.iter().filter(|entry| entry.key.is_none()).partition(|entry| entry.block.uid == uid);
        (mine.len() as u32, others.len() as u32 + u32::from(self.unknown))
    }

    pub fn restore(&mut self, uid: Option<u32>, firewall: &mut impl Firewall) -> Result<u32, LoadError> {
        self.begin(firewall)?;
        let goes = |entry: &Entry| entry.key.is_none() && uid.is_none_or(|uid| uid == entry.block.uid);
        if uid.is_none() && self.unknown {
            self.unknown = false;
            return Ok(1 + self.keep_all_but(goes, firewall)?);
        }
        self.keep(|entry| !goes(entry), firewall)
    }

    /// Opens what this user keeps closed by a greater grant than what is left of it.
    pub fn revoke(
        &mut self,
        uid: u32,
        left: Option<Grant>,
        firewall: &mut impl Firewall,
    ) -> Result<(), LoadError> {
        self.begin(firewall)?;
        let stays = |entry: &Entry| entry.block.uid != uid || Some(entry.block.grant) <= left;
        self.keep(stays, firewall).map(drop)
    }

    pub fn has_clients(&self) -> bool {
        self.entries.iter().any(|entry| entry.key.is_some())
    }

    pub fn check(&mut self, firewall: &mut impl Firewall) -> Option<Changed> {
        if self.entries.is_empty() || is_intact(firewall, Table::Block) {
            return None;
        }
        tracing::warn!("another program has removed or changed what is kept closed");
        let clients: BTreeSet<ClientId> =
            self.entries.iter().filter_map(|entry| Some(entry.key?.client)).collect();
        let mended = install(&self.entries, firewall)
            .inspect_err(|error| tracing::error!(%error, "not mended"))
            .is_ok();
        Some(Changed { clients: clients.into_iter().collect(), mended })
    }

    /// Makes sure that no other helper has to do with blocks; the first time, takes up what there is.
    pub fn begin(&mut self, firewall: &mut impl Firewall) -> Result<(), LoadError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let lock = self.store.lock().map_err(|e| stored(&e))?.ok_or(FirewallError::Busy)?;
        let written: std::io::Result<Option<Written<SessionBlock>>> = self.store.read(FILE);
        let unknown = written.as_ref().err().map(ToString::to_string);
        let written = written.unwrap_or_default();
        let blocks = written.filter(|written| written.boot == firewall.boot()).map_or(vec![], |w| w.blocks);
        self.lock = Some(lock);
        if firewall.state(Table::Block)? == State::Gone {
            return self.store.remove(FILE).map_err(|e| stored(&e));
        }
        if let Some(error) = unknown {
            tracing::error!(error, "the list of what is closed is not readable: it stays closed");
            self.unknown = true;
            return Ok(());
        }
        // even where the kernel refuses them: what is listed can be opened
        self.entries = blocks.into_iter().map(|block| Entry { key: None, block }).collect();
        install(&self.entries, firewall)
    }

    /// The table is made anew whatever it holds.
    fn keep_all_but(
        &mut self,
        goes: impl Fn(&Entry) -> bool,
        firewall: &mut impl Firewall,
    ) -> Result<u32, LoadError> {
        let kept: Vec<_> = self.entries.iter().filter(|entry| !goes(entry)).cloned().collect();
        let gone = self.entries.len() - kept.len();
        self.change_to(kept, firewall)?;
        Ok(gone as u32)
    }

    /// How many went.
    fn keep(
        &mut self,
        wanted: impl Fn(&Entry) -> bool,
        firewall: &mut impl Firewall,
    ) -> Result<u32, LoadError> {
        let kept: Vec<_> = self.entries.iter().filter(|entry| wanted(entry)).cloned().collect();
        let gone = self.entries.len() - kept.len();
        if gone > 0 {
            self.change_to(kept, firewall)?;
        }
        Ok(gone as u32)
    }

    /// Written before it is done: what a crash leaves half done, the next helper finishes. What the kernel refuses is
    /// written back.
    fn change_to(&mut self, wanted: Vec<Entry>, firewall: &mut impl Firewall) -> Result<(), LoadError> {
        if self.unknown {
            return Err(LoadError::Unknown);
        }
        render(&wanted.iter().map(|entry| &entry.block).collect::<Vec<_>>())?; // a list that never loads is not written
        self.write(&wanted, firewall)?;
        if let Err(error) = install(&wanted, firewall) {
            self.write(&self.entries, firewall)?;
            if matches!(error, LoadError::Firewall(FirewallError::Differs(_))) {
                install(&self.entries, firewall)?;
            }
            return Err(error);
        }
        self.entries = wanted;
        Ok(())
    }

    fn write(&self, blocks: &[Entry], firewall: &impl Firewall) -> Result<(), LoadError> {
        let written = Written { boot: firewall.boot(), blocks: blocks.iter().map(|b| &b.block).collect() };
        match blocks {
            [] => self.store.remove(FILE).map_err(|e| stored(&e)),
            _ => self.store.write(FILE, &written).map_err(|e| stored(&e)),
        }
    }
}

fn install(blocks: &[Entry], firewall: &mut impl Firewall) -> Result<(), LoadError> {
    if blocks.is_empty() {
        return Ok(firewall.remove(Table::Block)?);
    }
    let blocks: Vec<&SessionBlock> = blocks.iter().map(|entry| &entry.block).collect();
    Ok(firewall.replace(&render(&blocks)?)?)
}

pub fn stored(error: &std::io::Error) -> LoadError {
    LoadError::Store(error.to_string())
}
