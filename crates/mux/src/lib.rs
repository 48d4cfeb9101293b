//! Turns streams, datagrams and control messages into one byte pipe and back: fairly, with bounded memory.
//!
//! No I/O, no clock, no threads: bytes and time are arguments, so that the whole protocol runs in a deterministic
//! simulation. The frame layout and its reasons are in `docs/wire.md`.
//!
//! A driver does, whenever something happened: [`Connection::receive`] or [`Connection::expire`] or a stream call,
//! then drains [`Connection::next_event`], then [`Connection::transmit`]s until it returns 0, then sleeps until
//! the pipe is readable, or writable with something left to transmit, or [`Connection::next_deadline`].

mod connection;
mod error;

pub use connection::Connection;
pub use error::Error;

use std::net::SocketAddr;

use bytes::Bytes;

/// Microseconds of the caller's monotonic clock, from any origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub u64);

/// Which end of the pipe this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The engine: opens streams, skips noise until the start marker.
    Client,
    /// The agent: sends the start marker, opens nothing.
    Agent,
}

/// Limits of one connection; `Config::new` gives the product's values.
#[derive(Debug, Clone)]
pub struct Config {
    pub role: Role,
    /// Most bytes written to the pipe and not acknowledged by the peer.
    pub in_flight_limit: usize,
    /// Credit that each stream gives its sender at the start, in bytes.
    pub stream_window: u32,
}

impl Config {
    /// The product's values for this end.
    pub fn new(role: Role) -> Self {
        Self { role, in_flight_limit: 1 << 20, stream_window: 256 << 10 }
    }
}

/// What a connection holds and has moved, for tests, measurements and the heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Numbered bytes written to the pipe that the peer has not acknowledged.
    pub in_flight: usize,
    /// Bytes that wait here to be sent: streams, datagrams, control messages.
    pub buffered: usize,
    /// Bytes received for streams and not `consumed` yet.
    pub unread: usize,
    /// Streams that this end still knows.
    pub streams: usize,
    /// Numbered bytes written since the start.
    pub sent: u64,
    /// Numbered bytes that the peer says it has read.
    pub acked: u64,
    /// Numbered bytes read since the start.
    pub received: u64,
    /// The newest round trip measured by an acknowledgement.
    pub round_trip: Option<Micros>,
    /// When the oldest byte in flight was written; `None` when nothing is.
    pub waiting_since: Option<Micros>,
}

/// Names a stream; ids are not used again on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// Why a stream was refused (before it opened) or reset (after).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The target answered with RST.
    Refused,
    HostUnreachable,
    NetworkUnreachable,
    TimedOut,
    /// The server forbids it (EACCES, EPERM, administratively prohibited).
    Prohibited,
    /// The server has no descriptor, port or memory left for it.
    Exhausted,
    /// The connection was reset by the program or the target.
    Reset,
    /// Anything else.
    Failed,
}

/// What happened; drained with [`Connection::next_event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer's Hello arrived. Streams may be opened before.
    Ready,
    /// Agent: the client wants a connection to `target`; answer with `accept` or `refuse`.
    Incoming { id: StreamId, target: SocketAddr },
    /// Client: the agent connected.
    Opened { id: StreamId },
    /// Client: the agent could not connect. The stream is gone.
    Refused { id: StreamId, reason: Reason },
    /// Bytes for the stream's reader; say `consumed` once they have left us.
    Data { id: StreamId, data: Bytes },
    /// The peer's sender is done; our direction may go on.
    Eof { id: StreamId },
    /// The stream ended at once, in both directions. The stream is gone.
    Reset { id: StreamId, reason: Reason },
    /// `send_room` was asked and gave 0; now there is room.
    Writable { id: StreamId },
    /// A datagram of a flow (UDP, DNS, echo). Carried, may be dropped; nothing waits for it.
    Datagram { flow: u32, data: Bytes },
    /// A request or an answer outside any stream (hosts, routes, resolve, probe): kind and content, both opaque here.
    Control { kind: u8, data: Bytes },
    /// The answer to our PING.
    Pong { round_trip: Micros },
}
