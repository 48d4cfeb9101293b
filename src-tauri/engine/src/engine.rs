//! The engine as its faces see it.

use tokio::sync::mpsc;

use crate::{
    api::{Command, Event, Failure, Interest, Reply},
    setup::Setup,
};

/// A running engine; clones are the same one. Must be made and used inside a tokio runtime.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Reads the profiles; connects nothing. Never fails because of a bad file: that becomes a `BrokenProfile`.
    pub fn start(_setup: Setup) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Does what a face asks.
    pub async fn command(&self, _command: Command) -> Result<Reply, Failure> {
        Ok(Reply::Done)
    }

    /// Everything that happens from now on, after a first full picture.
    pub fn subscribe(&self, _interest: Interest) -> Subscription {
        Subscription { events: mpsc::unbounded_channel().1 }
    }

    /// Ends all tunnels in order: no rule, no ssh stays. Bounded to a few seconds.
    pub async fn shutdown(&self) {}
}

/// One face's stream of events; dropping it ends it.
pub struct Subscription {
    events: mpsc::UnboundedReceiver<Event>,
}

impl Subscription {
    /// None when the engine has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}
