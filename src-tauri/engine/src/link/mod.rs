//! The engine's end of the mux: one pump task moves bytes between the agent's channel and the protocol
//! ([`Link::run`]); streams are handles that connection tasks hold ([`Stream`]).
//!
//! Nothing here knows ssh, sockets or profiles. An idle stream is an entry in a map: no buffer, no timer.

mod pump;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use ropeway_mux::{Config, Connection, Event, Latency, Micros, Reason, Role, StreamId};
use tokio::sync::{Notify, watch};

pub use pump::{End, Health};
pub use stream::{Received, Stream};

/// A connection to the agent; clones are the same one.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// The pump has something to transmit.
    wake: Notify,
    health: watch::Sender<Health>,
    start: Instant,
}

struct State {
    mux: Connection,
    streams: HashMap<StreamId, Slot>,
    /// The pump has ended: nothing will ever arrive again.
    ended: bool,
}

/// What a stream's task waits for.
#[derive(Default)]
struct Slot {
    opened: bool,
    inbox: VecDeque<Bytes>,
    eof: bool,
    end: Option<Reason>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Pieces below this are joined: credit counts bytes, and a server that sends single ones must not make us keep a
/// hundred times as much.
const JOINED: usize = 4096;

impl Slot {
    fn push(&mut self, data: Bytes) {
        let fits = |last: &mut Bytes| last.len() + data.len() <= JOINED;
        match self.inbox.pop_back_if(fits) {
            Some(last) => {
                let mut joined = last.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                joined.extend_from_slice(&data);
                self.inbox.push_back(joined.freeze());
            }
            None => self.inbox.push_back(data),
        }
    }
}

impl Link {
    pub fn new(latency: Latency) -> Self {
        let config = Config { latency, ..Config::new(Role::Client) };
        let state = State { mux: Connection::new(config), streams: HashMap::new(), ended: false };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                wake: Notify::new(),
                health: watch::channel(Health::default()).0,
                start: Instant::now(),
            }),
        }
    }

    /// Asks the agent to connect. The answer comes from [`Stream::opened`]; bytes may be sent before it.
    pub fn open(&self, target: SocketAddr) -> Stream {
        let mut state = self.shared.state();
        let id = state.mux.open(target);
        let end = state.ended.then_some(Reason::Failed);
        state.streams.insert(id, Slot { end, ..Slot::default() });
        drop(state);
        self.shared.wake.notify_one();
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

impl State {
    /// Hands everything that has arrived to its stream. Returns the round trip of a heartbeat, if one came back.
    fn dispatch(&mut self) -> Option<Micros> {
        let mut pong = None;
        while let Some(event) = self.mux.next_event() {
            match event {
                Event::Opened { id } => self.change(id, |slot| slot.opened = true),
                Event::Refused { id, reason } | Event::Reset { id, reason } => {
                    self.change(id, |slot| slot.end = Some(reason));
                }
                Event::Data { id, data } => self.deliver(id, data),
                Event::Eof { id } => self.change(id, |slot| slot.eof = true),
                Event::Writable { id } => self.change(id, |_| {}),
                Event::Pong { round_trip } => pong = Some(round_trip),
                // the agent opens nothing; datagrams and control messages have no user yet
                Event::Ready | Event::Incoming { .. } | Event::Datagram { .. } | Event::Control { .. } => {}
            }
        }
        pong
    }

    fn deliver(&mut self, id: StreamId, data: Bytes) {
        // a stream that its task has left: its bytes are gone, its credit is not owed
        self.change(id, |slot| slot.push(data));
    }

    fn change(&mut self, id: StreamId, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.streams.get_mut(&id) {
            change(slot);
            slot.reader.take().into_iter().chain(slot.writer.take()).for_each(Waker::wake);
        }
    }

    fn end_all(&mut self) {
        self.ended = true;
        for slot in self.streams.values_mut() {
            slot.end.get_or_insert(Reason::Failed);
            slot.reader.take().into_iter().chain(slot.writer.take()).for_each(Waker::wake);
        }
    }
}
