//! Which sessions there are, and the one table for all of them. Knows neither sockets nor clients' manners.
//!
//! Start with [`Rules::load`]. `flatten`, `render` and `script` only compute; what touches the kernel is behind
//! [`Firewall`].

pub mod flatten;
pub mod render;
pub mod script;

use std::sync::Arc;

use ropeway_helper_api::SessionId;

pub use flatten::TooManyPieces;
pub use render::{SessionPlan, render};
pub use script::Script;

/// Counted up by the server, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientId(pub u64);

/// A session's name among those of all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub client: ClientId,
    pub session: SessionId,
}

/// The table in the kernel.
pub trait Firewall {
    /// Puts the script in the place of what was there, in one step, and reads it back.
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError>;
    fn remove(&mut self) -> Result<(), FirewallError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirewallError {
    #[error("another helper owns the table")]
    Busy,
    /// Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// It was loaded, and it is not what was wanted.
    #[error("the table reads back differently: {0}")]
    Differs(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Plan(#[from] TooManyPieces),
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// Not even what was there before could be restored, so all of it was removed.
    #[error("all rules were lost: {0}")]
    Lost(FirewallError),
}

/// All sessions of all clients, in the order in which they came.
pub struct Rules<F> {
    firewall: F,
    sessions: Vec<(Key, Arc<SessionPlan>)>,
}

impl<F: Firewall> Rules<F> {
    pub fn new(firewall: F) -> Self {
        Self { firewall, sessions: vec![] }
    }

    /// Installs the plan; a session that is there keeps its place. On an error everything is as before.
    pub fn load(&mut self, key: Key, plan: SessionPlan) -> Result<(), LoadError> {
        let mut wanted = self.sessions.clone();
        let plan = Arc::new(plan);
        match wanted.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = plan,
            None => wanted.push((key, plan)),
        }
        self.change_to(wanted)
    }

    /// A session that is not there needs no removing.
    pub fn unload(&mut self, key: Key) -> Result<(), LoadError> {
        self.keep(|other| other != key)
    }

    pub fn unload_client(&mut self, client: ClientId) -> Result<(), LoadError> {
        self.keep(|key| key.client != client)
    }

    /// How many sessions this client has, the one in question not counted.
    pub fn others_of(&self, key: Key) -> usize {
        self.sessions.iter().filter(|(other, _)| other.client == key.client && *other != key).count()
    }

    fn keep(&mut self, wanted: impl Fn(Key) -> bool) -> Result<(), LoadError> {
        let kept: Vec<_> = self.sessions.iter().filter(|(key, _)| wanted(*key)).cloned().collect();
        if kept.len() == self.sessions.len() {
            return Ok(());
        }
        self.change_to(kept)
    }

    fn change_to(&mut self, wanted: Vec<(Key, Arc<SessionPlan>)>) -> Result<(), LoadError> {
        match self.install(&wanted) {
            Ok(()) => {
                self.sessions = wanted;
                Ok(())
            }
            Err(LoadError::Firewall(error @ FirewallError::Differs(_))) => Err(self.restore(error)),
            Err(unchanged) => Err(unchanged),
        }
    }

    /// Nobody knows what the kernel holds now: back to what worked before, and if that fails, to nothing.
    fn restore(&mut self, cause: FirewallError) -> LoadError {
        let before = std::mem::take(&mut self.sessions);
        if self.install(&before).is_ok() {
            self.sessions = before;
            return LoadError::Firewall(cause);
        }
        if let Err(error) = self.firewall.remove() {
            tracing::error!(%error, "the table could not be removed");
        }
        LoadError::Lost(cause)
    }

    fn install(&mut self, sessions: &[(Key, Arc<SessionPlan>)]) -> Result<(), LoadError> {
        if sessions.is_empty() {
            return Ok(self.firewall.remove()?);
        }
        let plans: Vec<&SessionPlan> = sessions.iter().map(|(_, plan)| plan.as_ref()).collect();
        Ok(self.firewall.replace(&render(&plans)?)?)
    }
}
