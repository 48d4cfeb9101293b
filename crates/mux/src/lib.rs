//! Turns streams, datagrams and control messages into one byte pipe and back: fairly, with bounded memory.
//!
//! No I/O, no clock, no threads: bytes and time are arguments, so that the whole protocol runs in a deterministic
//! simulation. The frame layout and its reasons are in `docs/wire.md`.
//!
//! A driver does, whenever something happened: [`Connection::receive`] until all that was read is taken, or
//! [`Connection::expire`], or a stream call; then [`Connection::transmit`]s until that has nothing; then sleeps until the
//! pipe is readable, or writable with something left to transmit, or [`Connection::next_deadline`].
//!
//! No byte of a stream is kept here. What arrives is lent to the driver where it lies in the buffer that the pipe was read
//! into ([`Event::Data`]); what leaves is read from a [`Source`] straight into the buffer that the pipe is written from,
//! when it is that stream's turn and not before. So nothing is copied or allocated for a frame, nothing waits that a
//! keystroke could not overtake, and an idle stream has no buffer.
//!
//! Start reading at [`Connection`]. One decision per file: `schedule` says who sends next, `flight` how much may be
//! under way, `window` how much a reader promises to take. Sockets, files, tasks and the meaning of a control message
//! have no place here.

#![warn(missing_docs)]

mod connection;
mod datagram;
mod decoder;
mod error;
mod flight;
mod frame;
mod handshake;
mod out;
mod outbox;
mod ping;
mod schedule;
mod stream;
mod window;
#[cfg(test)]
mod wire_page;

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

/// How much may be under way: written to the pipe and not acknowledged. The client decides for both ends; the agent learns
/// it from the client's HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Latency {
    /// Follows the link: its rate at hardly more than its latency.
    #[default]
    Adaptive,
    /// So many bytes, whatever the link is (`--latency-buffer-size`). At least 4 KiB.
    Fixed(u32),
    /// As much as ssh's own window lets through, not paced (`--no-latency-control`): the most that any link carries, and
    /// every keystroke waits behind all of it.
    Unlimited,
}

/// The largest window of a stream: the 2 MiB that ssh lets be under way, and the quarter that is used up before the window
/// is raised. So one stream alone can fill the pipe, and a reader that stopped costs no more.
const STREAM_WINDOW: u32 = 5 << 19;

/// Limits of one connection; `Config::new` gives the product's values.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Which end this is.
    pub role: Role,
    /// Client: what both ends do about latency. Of no meaning for an agent, which is told.
    pub latency: Latency,
    /// Whether this end's processor has AES instructions; the peer is told (see [`Connection::peer_has_aes`]).
    pub hardware_aes: bool,
    /// The largest credit that one stream gives its sender. Streams start with a share of it and grow into it as their
    /// readers read, so that idle ones do not hold the memory of busy ones.
    pub stream_window: u32,
}

impl Config {
    /// The product's values for this end.
    pub fn new(role: Role) -> Self {
        Self { role, latency: Latency::default(), hardware_aes: false, stream_window: STREAM_WINDOW }
    }
}

/// What a connection holds and has moved, for tests, measurements and the heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Numbered bytes written to the pipe that the peer has not acknowledged.
    pub in_flight: usize,
    /// The most that bulk may have of these now.
    pub in_flight_limit: usize,
    /// The link's rate in bytes a second, as far as it is known.
    pub rate: Option<u64>,
    /// The link's round trip without our own queue.
    pub path: Option<Micros>,
    /// Bytes that wait here to be sent: datagrams, control messages.
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
    /// How much later than the quickest the newest acknowledged bytes arrived: what they waited behind.
    pub queue: Option<Micros>,
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
    /// The target's network says that the host is not there.
    HostUnreachable,
    /// The server has no route.
    NetworkUnreachable,
    /// Nobody answered.
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

/// Where the bytes of streams come from. Asked by [`Connection::transmit`] for streams that are [`Connection::ready`], when
/// it is their turn.
pub trait Source {
    /// Put the stream's next bytes at the beginning of `buffer`, which is never empty.
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply;
}

/// What a [`Source`] had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// So many bytes, at least one.
    Bytes {
        /// How many.
        count: usize,
        /// Whether there may be more now; if not, [`Connection::ready`] says when there is.
        more: bool,
    },
    /// Nothing now; [`Connection::ready`] says when there is.
    Empty,
    /// Everything was said: our direction ends. The other may go on.
    End,
    /// The sender is broken: the stream ends at once, in both directions, and is gone. No event follows.
    Broken(Reason),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a variant's sentence explains its fields")]
pub enum Event<'a> {
    /// The peer's Hello arrived. Streams may be opened before; nothing of theirs is sent before.
    Ready,
    /// Agent: the client wants a connection to `target`; answer with `accept` or `refuse`. What the user's program says
    /// first may follow before the answer, as `Data` and even `Eof`.
    Incoming { id: StreamId, target: SocketAddr },
    /// Client: the agent connected.
    Opened { id: StreamId },
    /// Client: the agent could not connect. The stream is gone.
    Refused { id: StreamId, reason: Reason },
    /// Bytes for the stream's reader; say `consumed` once they have left us. Never empty.
    Data { id: StreamId, data: &'a [u8] },
    /// The peer's sender is done; our direction may go on.
    Eof { id: StreamId },
    /// The stream ended at once, in both directions. The stream is gone.
    Reset { id: StreamId, reason: Reason },
    /// A datagram of a flow (UDP, DNS, echo). Carried, may be dropped; nothing waits for it.
    Datagram { flow: u32, data: Bytes },
    /// A request or an answer outside any stream (hosts, routes, resolve, probe): kind and content, both opaque here.
    Control { kind: u8, data: Bytes },
    /// The answer to our PING.
    Pong { round_trip: Micros },
}
