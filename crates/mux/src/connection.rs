//! One end of the pipe: what its owner calls. What the pipe delivers is in `receive`, what it takes in `transmit`.

mod receive;
mod transmit;

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use crate::{
    Config, Error, Micros, Reason, Role, Stats, StreamId,
    datagram::Datagrams,
    decoder::Decoder,
    flight::{Flight, Receipts},
    handshake::Handshake,
    outbox::{Notice, Outbox},
    ping::Pings,
    schedule::{Key, Schedule},
    stream::{Phase, Stream, Streams},
    window::{self, Moment, Pool, ReceiveWindow, SendWindow},
};

/// The datagrams' place in the schedule; no stream has this id.
const DATAGRAMS: Key = 0;

/// One end of the pipe.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    handshake: Handshake,
    decoder: Decoder,
    receipts: Receipts,
    streams: Streams,
    pool: Pool,
    /// Bytes that streams have received and not consumed.
    unread: usize,
    outbox: Outbox,
    datagrams: Datagrams,
    schedule: Schedule,
    flight: Flight,
    pings: Pings,
    /// When bulk may go on that only its pace held back.
    resume: Option<Micros>,
    /// The end of a frame for which the last transmit had no room.
    carry: BytesMut,
    dead: Option<Error>,
}

impl Connection {
    /// A connection that has sent and received nothing.
    pub fn new(config: Config) -> Self {
        Self {
            role: config.role,
            handshake: Handshake::new(&config),
            decoder: Decoder::default(),
            receipts: Receipts::default(),
            streams: Streams::default(),
            pool: Pool::new(config.stream_window),
            unread: 0,
            outbox: Outbox::default(),
            datagrams: Datagrams::default(),
            schedule: Schedule::default(),
            flight: Flight::new(config.latency),
            pings: Pings::default(),
            resume: None,
            carry: BytesMut::new(),
            dead: None,
        }
    }

    /// When to call [`Self::expire`], unless something happens before.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.datagrams.deadline().into_iter().chain(self.resume).min()
    }

    /// Drop what is too old. [`Self::transmit`] has to follow: what was paced may go on.
    pub fn expire(&mut self, now: Micros) {
        self.datagrams.expire(now);
        self.resume.take_if(|resume| *resume <= now);
    }

    /// Client: ask for a connection to `target`; ends in [`Event::Opened`], [`Event::Refused`] or [`Event::Reset`].
    ///
    /// Bytes may be sent at once; they travel behind the request and save a round trip. `None` with too many streams
    /// open: no stream of that kind was ever there.
    ///
    /// [`Event::Opened`]: crate::Event::Opened
    /// [`Event::Refused`]: crate::Event::Refused
    /// [`Event::Reset`]: crate::Event::Reset
    pub fn open(&mut self, target: SocketAddr, now: Micros) -> Option<StreamId> {
        debug_assert_eq!(self.role, Role::Client, "only the client opens streams");
        if self.is_crowded() || self.outbox.is_full() {
            return None;
        }
        let id = self.streams.next_id()?;
        let send = SendWindow::new(u64::from(window::FLOOR));
        let receive = ReceiveWindow::new(&mut self.pool, now);
        self.streams.insert(id, Stream::new(Phase::Unsent(target), send, receive));
        self.outbox.push(Notice::Open(id));
        Some(StreamId(id))
    }

    /// Agent: the target is connected.
    pub fn accept(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.phase == Phase::Incoming {
            stream.phase = Phase::Open;
            self.outbox.push(Notice::Opened(id.0));
            self.advance(id.0);
        }
    }

    /// Agent: the target could not be connected. The stream is gone.
    pub fn refuse(&mut self, id: StreamId, reason: Reason) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.phase == Phase::Incoming {
            self.outbox.push(Notice::Refused(id.0, reason));
            self.forget(id.0);
        }
    }

    /// The stream's [`Source`] has something: bytes, an end, a failure. Before this, and after it said that it has nothing,
    /// it is not asked.
    ///
    /// [`Source`]: crate::Source
    pub fn ready(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id.0) else { return };
        stream.ready = true;
        self.advance(id.0);
    }

    /// End both directions at once and forget the stream: no event of it follows.
    ///
    /// If both ends have finished already there is nothing to cut: what is unread counts as consumed. So an owner may
    /// reset whatever it lets go of.
    pub fn reset(&mut self, id: StreamId, reason: Reason, now: Micros) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.is_closing() {
            let unread = stream.receive.unread();
            return self.consumed(id, unread, now);
        }
        if !matches!(stream.phase, Phase::Unsent(_)) {
            self.outbox.push(Notice::Reset(id.0, reason));
        }
        self.forget(id.0);
    }

    /// The stream's reader took `bytes`: its peer may send as many more.
    ///
    /// Every byte of [`Event::Data`] has to be reported here, those before [`Event::Eof`] too, unless the stream is
    /// reset: only then is it forgotten.
    ///
    /// [`Event::Data`]: crate::Event::Data
    /// [`Event::Eof`]: crate::Event::Eof
    pub fn consumed(&mut self, id: StreamId, bytes: usize, now: Micros) {
        let Some(stream) = self.streams.get(id.0) else { return };
        self.unread -= stream.receive.consume(bytes);
        if stream.peer_finished {
            return self.forget_if_over(id.0);
        }
        let moment = Moment { now, round_trip: self.flight.path(), unread: self.unread };
        if stream.receive.update(&mut self.pool, moment) && !stream.window_queued {
            stream.window_queued = true;
            self.outbox.push(Notice::Window(id.0));
        }
    }

    /// Queue a datagram, dropping the oldest if too many wait; `false` when it is too large to carry (64 KiB).
    pub fn send_datagram(&mut self, flow: u32, data: Bytes, now: Micros) -> bool {
        let queued = self.datagrams.push(flow, data, now);
        if queued {
            self.schedule.activate(DATAGRAMS, &mut self.datagrams.turn);
        }
        queued
    }

    /// Queue a control message; `false` when it is too large (64 KiB) or too many wait: try again after a transmit.
    #[must_use = "a message that was not queued is lost"]
    pub fn send_control(&mut self, kind: u8, data: Bytes) -> bool {
        self.outbox.push_message(kind, data)
    }

    /// Ask for an [`Event::Pong`](crate::Event::Pong); nothing while one is on its way.
    pub fn ping(&mut self, now: Micros) {
        self.pings.ask(now);
    }

    /// Whether the peer's Hello arrived.
    pub fn is_ready(&self) -> bool {
        self.handshake.is_done()
    }

    /// Whether the peer's processor has AES instructions; `None` before its Hello.
    pub fn peer_has_aes(&self) -> Option<bool> {
        self.handshake.peer().map(crate::handshake::Hello::has_aes)
    }

    /// What is held and what was moved.
    pub fn stats(&self) -> Stats {
        Stats {
            in_flight: self.flight.in_flight(),
            in_flight_limit: self.flight.limit(),
            rate: self.flight.rate(),
            path: self.flight.path(),
            buffered: self.datagrams.bytes() + self.outbox.bytes() + self.carry.len(),
            unread: self.unread,
            streams: self.streams.len(),
            sent: self.flight.sent(),
            acked: self.flight.acked(),
            received: self.receipts.received(),
            round_trip: self.flight.round_trip(),
            queue: self.flight.queue(),
            waiting_since: self.flight.waiting_since(),
        }
    }

    /// Put the stream into the schedule if it can send.
    fn advance(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.can_send() {
            self.schedule.activate(id, &mut stream.turn);
        }
    }

    fn forget_if_over(&mut self, id: u32) {
        if self.streams.get(id).is_some_and(|stream| stream.is_over()) {
            self.forget(id);
        }
    }

    /// The stream is gone. Its places in the schedule and the outbox are passed over when their turn comes.
    fn forget(&mut self, id: u32) {
        let Some(stream) = self.streams.remove(id) else { return };
        self.unread -= stream.receive.unread();
        stream.receive.release(&mut self.pool);
    }

    fn is_crowded(&self) -> bool {
        self.streams.is_full() || self.schedule.is_full()
    }
}
