//! One end of the pipe.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use crate::{Config, Error, Event, Micros, Reason, Stats, StreamId};

/// One end of the pipe.
pub struct Connection {
    config: Config,
    next_id: u32,
}

impl Connection {
    /// A connection that has sent and received nothing.
    pub fn new(config: Config) -> Self {
        Self { config, next_id: 0 }
    }

    /// Feed bytes read from the pipe, in any split. After an error the connection is dead.
    pub fn receive(&mut self, _bytes: &[u8], _now: Micros) -> Result<(), Error> {
        Ok(())
    }

    /// Append at most `room` bytes to `out`; how many (0 = nothing may be sent now).
    pub fn transmit(&mut self, _out: &mut BytesMut, _room: usize, _now: Micros) -> usize {
        0
    }

    /// What happened, oldest first.
    pub fn next_event(&mut self) -> Option<Event> {
        None
    }

    /// When to call [`Self::expire`], unless something happens before.
    pub fn next_deadline(&self) -> Option<Micros> {
        None
    }

    /// Drop what is too old.
    pub fn expire(&mut self, _now: Micros) {}

    /// Client: ask for a connection to `target`; ends in `Opened`, `Refused` or `Reset`.
    /// Bytes may be sent at once: they travel behind the request.
    pub fn open(&mut self, _target: SocketAddr) -> StreamId {
        self.next_id += 1;
        StreamId(self.next_id)
    }

    /// Agent: the target is connected.
    pub fn accept(&mut self, _id: StreamId) {}

    /// Agent: the target could not be connected. The stream is gone.
    pub fn refuse(&mut self, _id: StreamId, _reason: Reason) {}

    /// How many bytes [`Self::send`] takes now; 0 promises [`Event::Writable`] later.
    pub fn send_room(&mut self, _id: StreamId) -> usize {
        0
    }

    /// Queue bytes, at most [`Self::send_room`] of them. Streams that are gone ignore them.
    pub fn send(&mut self, _id: StreamId, _data: Bytes) {}

    /// Our direction ends after what is queued.
    pub fn finish(&mut self, _id: StreamId) {}

    /// End both directions at once and forget the stream.
    pub fn reset(&mut self, _id: StreamId, _reason: Reason) {}

    /// The stream's reader took `bytes`: its peer may send as many more.
    pub fn consumed(&mut self, _id: StreamId, _bytes: usize) {}

    /// Queue a datagram; `false` when it is too large to carry.
    pub fn send_datagram(&mut self, _flow: u32, _data: Bytes, _now: Micros) -> bool {
        false
    }

    /// Queue a control message; `false` when too large or too many are waiting.
    pub fn send_control(&mut self, _kind: u8, _data: Bytes) -> bool {
        false
    }

    /// Ask for a [`Event::Pong`]; nothing while one is on its way.
    pub fn ping(&mut self, _now: Micros) {}

    /// Whether the peer's Hello arrived.
    pub fn is_ready(&self) -> bool {
        false
    }

    /// What is held and what was moved.
    pub fn stats(&self) -> Stats {
        let _ = &self.config;
        Stats::default()
    }
}
