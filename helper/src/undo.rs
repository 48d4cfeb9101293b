//! Undoes what a helper that died left behind and the kernel did not take away. Runs at the helper's start, after its
//! end (`--undo`, also after SIGKILL), and at boot. Does nothing when there is nothing to undo.

use std::io;

use crate::{
    hosts::{HostsError, journal},
    platform,
    rules::FirewallError,
    store::Store,
};

#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("state folder: {0}")]
    Store(#[from] io::Error),
    #[error("host names: {0}")]
    Hosts(#[from] HostsError),
    #[error("{0}")]
    Rules(#[from] FirewallError),
}

/// What a living helper has in use stays.
pub fn run(store: &Store) -> Result<(), UndoError> {
    let Some(_lock) = store.lock()? else {
        return Ok(());
    };
    let names = journal::replay(store);
    let routing = platform::undo_udp();
    platform::undo_iptables(store)?;
    routing?;
    Ok(names?)
}
