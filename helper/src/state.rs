//! What all clients share, behind the server's one lock.

use crate::{
    grants::Grants,
    hosts::HostsFile,
    rules::{ClientId, Firewall, LoadError, Rules},
};

pub struct State<F> {
    pub rules: Rules<F>,
    pub hosts: HostsFile,
    pub grants: Grants,
    /// Clients that are gone, and something of theirs is not, because the kernel or the disk refused.
    stuck: Vec<ClientId>,
}

/// The rules of all clients are gone, not only those that were meant.
#[derive(Debug, PartialEq, Eq)]
pub struct AllLost;

impl<F: Firewall> State<F> {
    pub fn new(rules: Rules<F>, hosts: HostsFile, grants: Grants) -> Self {
        Self { rules, hosts, grants, stuck: vec![] }
    }

    /// The client is gone: nothing of it stays but what it kept closed. What cannot be undone is tried again by
    /// [`State::undo_stuck`].
    pub fn undo(&mut self, client: ClientId) -> Result<(), AllLost> {
        let names = self.hosts.remove_client(client);
        let rules = self.rules.unload_client(client);
        if let Err(error) = &names {
            tracing::error!(%error, "names of a client that is gone could not be removed");
        }
        if let Err(error) = &rules {
            tracing::error!(%error, "rules of a client that is gone could not be removed");
        }
        if names.is_err() || rules.is_err() {
            self.stuck.push(client);
        }
        if let Err(LoadError::Lost(_)) = rules { Err(AllLost) } else { Ok(()) }
    }

    pub fn undo_stuck(&mut self) -> Result<(), AllLost> {
        let stuck = std::mem::take(&mut self.stuck);
        stuck.into_iter().map(|client| self.undo(client)).fold(Ok(()), Result::and)
    }

    /// Whether there is nothing that could change behind our back, and nothing to try again.
    pub fn is_quiet(&self) -> bool {
        self.rules.is_empty() && self.stuck.is_empty()
    }
}
