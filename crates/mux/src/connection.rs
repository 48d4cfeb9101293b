//! One end of the pipe: what its owner calls. What the pipe delivers is in `receive`, what it takes in `transmit`.

mod receive;
mod transmit;

use std::{collections::VecDeque, net::SocketAddr};

use bytes::{Bytes, BytesMut};

use crate::{
    Config, Error, Event, Micros, Reason, Role, Stats, StreamId,
    datagram::Datagrams,
    decoder::Decoder,
    flight::{Flight, Receipts},
    handshake::Handshake,
    outbox::{Notice, Outbox},
    ping::Pings,
    schedule::{Key, Schedule},
    stream::{Direction, Phase, Stream, Streams},
    window::{self, Pool, ReceiveWindow, SendWindow},
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
    events: VecDeque<Event>,
    streams: Streams,
    pool: Pool,
    /// Bytes that streams have received and not consumed.
    unread: usize,
    /// Bytes that streams have queued.
    queued: usize,
    outbox: Outbox,
    datagrams: Datagrams,
    schedule: Schedule,
    flight: Flight,
    pings: Pings,
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
            receipts: Receipts::new(config.in_flight_limit),
            events: VecDeque::new(),
            streams: Streams::default(),
            pool: Pool::new(config.stream_window),
            unread: 0,
            queued: 0,
            outbox: Outbox::default(),
            datagrams: Datagrams::default(),
            schedule: Schedule::default(),
            flight: Flight::new(config.in_flight_limit),
            pings: Pings::default(),
            carry: BytesMut::new(),
            dead: None,
        }
    }

    /// What happened, oldest first. To be drained after every other call.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::expire`], unless something happens before.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.datagrams.deadline()
    }

    /// Drop what is too old.
    pub fn expire(&mut self, now: Micros) {
        self.datagrams.expire(now);
    }

    /// Client: ask for a connection to `target`; ends in [`Event::Opened`], [`Event::Refused`] or [`Event::Reset`].
    ///
    /// Bytes may be sent at once; they travel behind the request and save a round trip. With too many streams open the
    /// answer is [`Event::Refused`] from this end.
    pub fn open(&mut self, target: SocketAddr) -> StreamId {
        debug_assert_eq!(self.role, Role::Client, "only the client opens streams");
        let id = self.streams.next_id();
        let crowded = self.is_crowded() || self.outbox.is_full();
        let Some(id) = id.filter(|_| !crowded) else {
            let id = StreamId(id.unwrap_or(u32::MAX));
            self.events.push_back(Event::Refused { id, reason: Reason::Exhausted });
            return id;
        };
        let send = SendWindow::new(u64::from(window::FLOOR));
        self.streams.insert(id, Stream::new(Phase::Unsent(target), send, ReceiveWindow::new(&mut self.pool)));
        self.outbox.push(Notice::Open(id));
        StreamId(id)
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

    /// How many bytes [`Self::send`] takes now, at most one frame; 0 promises [`Event::Writable`], except for a stream
    /// that is finished or gone.
    pub fn send_room(&mut self, id: StreamId) -> usize {
        match self.streams.get(id.0) {
            Some(stream) if stream.ours == Direction::Running => {
                stream.wants_room |= stream.outgoing.room() == 0;
                stream.outgoing.room()
            }
            _ => 0,
        }
    }

    /// Queue bytes, at most [`Self::send_room`] of them. A stream that is finished or gone ignores them.
    pub fn send(&mut self, id: StreamId, data: Bytes) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.ours != Direction::Running || data.is_empty() {
            return;
        }
        debug_assert!(data.len() <= stream.outgoing.room(), "ask send_room first: memory is bounded by it");
        self.queued += data.len();
        stream.outgoing.push(data);
        self.advance(id.0);
    }

    /// Our direction ends after what is queued.
    pub fn finish(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.ours == Direction::Running {
            stream.ours = Direction::Finishing;
            self.advance(id.0);
        }
    }

    /// End both directions at once and forget the stream: what is queued is dropped, no event follows but those that are
    /// waiting already.
    ///
    /// If both ends have finished already there is nothing to cut: what is queued still goes, and what is unread counts
    /// as consumed. So an owner may reset whatever it lets go of.
    pub fn reset(&mut self, id: StreamId, reason: Reason) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if stream.is_closing() {
            let unread = stream.receive.unread();
            return self.consumed(id, unread);
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
    pub fn consumed(&mut self, id: StreamId, bytes: usize) {
        let Some(stream) = self.streams.get(id.0) else { return };
        self.unread -= stream.receive.consume(bytes);
        if stream.peer_finished {
            return self.forget_if_over(id.0);
        }
        if stream.receive.update(&mut self.pool) && !stream.window_queued {
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

    /// Ask for an [`Event::Pong`]; nothing while one is on its way.
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
            buffered: self.queued + self.datagrams.bytes() + self.outbox.bytes() + self.carry.len(),
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

    /// Put the stream where its next step is: the schedule if it has something to send, the outbox if only EOF is left.
    fn advance(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.can_send() {
            self.schedule.activate(id, &mut stream.turn);
        } else if stream.can_finish() {
            stream.ours = Direction::Queued;
            self.outbox.push(Notice::Eof(id));
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
        self.queued -= stream.outgoing.len();
        self.unread -= stream.receive.unread();
        stream.receive.release(&mut self.pool);
    }

    fn is_crowded(&self) -> bool {
        self.streams.is_full() || self.schedule.is_full()
    }
}
