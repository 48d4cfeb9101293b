//! The engine's end of the mux: one task moves bytes between the agent's channel and the programs ([`Link::run`]).
//!
//! No byte is kept on its way: a program is read when it is its stream's turn, straight into the buffer that the channel is
//! written from, and what arrives is written to the program from the buffer that the channel was read into. Only what a program
//! does not take waits, in its [`slot`]. Nothing here knows ssh, TCP or profiles. An idle stream is an entry in a map: no
//! buffer, no timer, no task of its own in this place.

mod heart;
mod program;
mod pump;
mod slot;
mod stream;
mod talk;
#[cfg(test)]
mod tests;
mod wakes;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use ropeway_mux::{Config, Connection, Latency, Micros, Reason, Role, StreamId};
use tokio::sync::{mpsc, watch};

pub use heart::Health;
pub use program::Program;
pub use pump::End;
pub use stream::{Cut, Stream};

use slot::Slot;
use wakes::Wakes;

/// A connection to the agent; clones are the same one.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wakes: Arc<Wakes>,
    health: watch::Sender<Health>,
    start: Instant,
}

struct State {
    mux: Connection,
    slots: HashMap<StreamId, Slot>,
    /// Of datagrams, by flow.
    readers: HashMap<u32, mpsc::Sender<Bytes>>,
    /// The pump has ended: nothing will ever arrive again.
    ended: bool,
}

impl Link {
    pub fn new(latency: Latency) -> Self {
        let config = Config { latency, ..Config::new(Role::Client) };
        let state = State {
            mux: Connection::new(config),
            slots: HashMap::new(),
            readers: HashMap::new(),
            ended: false,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                wakes: Arc::default(),
                health: watch::channel(Health::default()).0,
                start: Instant::now(),
            }),
        }
    }

    /// Asks the agent to connect `program` to `target`. What the program says first travels with the question. How it goes on
    /// is told by [`Stream::ended`].
    pub fn open(&self, target: SocketAddr, program: Arc<dyn Program>) -> Stream {
        let now = self.shared.now();
        let mut state = self.shared.state();
        if state.ended {
            return Stream::cut(Cut::Link);
        }
        let Some(id) = state.mux.open(target, now) else {
            return Stream::cut(Cut::Refused(Reason::Exhausted));
        };
        state.slots.insert(id, Slot::new(program, self.shared.wakes.of(id)));
        drop(state);
        // also sends OPEN
        self.shared.wakes.wake(id);
        Stream::new(self.shared.clone(), id)
    }

    /// Whether the server's processor has AES instructions; None until the agent has said its first word.
    pub fn peer_has_aes(&self) -> Option<bool> {
        self.shared.state().mux.peer_has_aes()
    }

    /// Round trips and whether the agent answers.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // a panic elsewhere does not make the protocol's state wrong: it is only changed by whole calls
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }
}
