//! A row as its relay sees it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::Notify;

use super::{Table, now};
use crate::api::ConnectionState;

/// What a relay tells of its connection. A row that is dropped without a final
/// state was cut with its tunnel.
pub struct Row {
    pub(super) table: Arc<Table>,
    pub(super) id: u64,
    pub(super) shared: Arc<Shared>,
}

/// What relay and table share.
#[derive(Debug)]
pub(super) struct Shared {
    pub up: AtomicU64,
    pub down: AtomicU64,
    pub state: Mutex<(ConnectionState, Option<u64>)>,
    /// Somebody wants it closed.
    pub close: Notify,
}

impl Row {
    pub fn add_up(&self, bytes: usize) {
        self.shared.up.fetch_add(bytes as u64, Relaxed);
    }

    pub fn add_down(&self, bytes: usize) {
        self.shared.down.fetch_add(bytes as u64, Relaxed);
    }

    /// A final state is kept: what came first is what happened.
    pub fn set(&self, state: ConnectionState) {
        if self.shared.set(state) {
            self.table.closed(self.id);
        }
    }

    /// Somebody wants it closed.
    pub async fn close_asked(&self) {
        self.shared.close.notified().await;
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.set(ConnectionState::Lost);
    }
}

impl Shared {
    pub fn new(state: ConnectionState) -> Self {
        let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { up, down, state: Mutex::new((state, None)), close: Notify::new() }
    }

    pub fn state(&self) -> (ConnectionState, Option<u64>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it ended by this.
    fn set(&self, state: ConnectionState) -> bool {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1.is_some() {
            return false;
        }
        *current = (state, is_final(state).then(now));
        current.1.is_some()
    }
}

pub(super) fn is_final(state: ConnectionState) -> bool {
    use ConnectionState::{Closing, Direct, Open, Opening};
    !matches!(state, Opening | Open | Closing | Direct)
}
