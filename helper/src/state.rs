//! What all clients share, behind the server's one lock.

use crate::{
    grants::Grants,
    hosts::HostsFile,
    rules::{ClientId, Firewall, Rules},
};

pub struct State<F> {
    pub rules: Rules<F>,
    pub hosts: HostsFile,
    pub grants: Grants,
}

impl<F: Firewall> State<F> {
    /// The client is gone: nothing of it stays but what it kept closed.
    pub fn undo(&mut self, client: ClientId) {
        if let Err(error) = self.hosts.remove_client(client) {
            tracing::error!(%error, "names of a client that is gone could not be removed");
        }
        if let Err(error) = self.rules.unload_client(client) {
            tracing::error!(%error, "rules of a client that is gone could not be removed");
        }
    }
}
