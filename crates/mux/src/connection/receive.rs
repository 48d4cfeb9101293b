//! What the pipe delivers: bytes become frames, frames become events and changes of streams.
//!
//! A frame for a stream that is over is late and passed over; one that no honest peer sends ends the connection.

use std::net::SocketAddr;

use super::Connection;
use crate::{
    Error, Event, Micros, Reason, Role, StreamId,
    decoder::Piece,
    frame::{Frame, Kind},
    handshake::Hello,
    outbox::Notice,
    stream::{Phase, Stream},
    window::{ReceiveWindow, SendWindow},
};

impl Connection {
    /// Take in bytes read from the pipe, in any split, up to the next event; `input` is moved on. To be called until it
    /// gives `None`: then all of `input` is taken. After an error the connection is dead and says only that.
    pub fn receive<'a>(&mut self, input: &mut &'a [u8], now: Micros) -> Result<Option<Event<'a>>, Error> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        let result = self.take_in(input, now);
        self.dead = result.as_ref().err().cloned();
        result
    }

    fn take_in<'a>(&mut self, input: &mut &'a [u8], now: Micros) -> Result<Option<Event<'a>>, Error> {
        if !self.handshake.find_marker(input)? {
            return Ok(None);
        }
        while let Some(piece) = self.decoder.next(input)? {
            let event = match piece {
                Piece::Data { id, bytes } => self.on_data(id, bytes)?,
                Piece::Frame(frame) => self.on_frame(frame, now)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        self.receipts.note(self.decoder.received(), self.decoder.whole(), now);
        Ok(None)
    }

    fn on_frame(&mut self, frame: Frame, now: Micros) -> Result<Option<Event<'static>>, Error> {
        match frame {
            Frame::Hello(hello) => return self.on_hello(hello).map(Some),
            _ => self.require_hello(frame.kind())?,
        }
        match frame {
            Frame::Open { id, limit, target } => return self.on_open(id, limit, target, now),
            Frame::Opened { id, limit } => return self.on_opened(id, limit),
            Frame::Refused { id, reason } => return self.on_refused(id, reason),
            Frame::Eof { id } => return self.on_eof(id),
            Frame::Reset { id, reason } => return self.on_reset(id, reason),
            Frame::Datagram { flow, data } => return Ok(Some(Event::Datagram { flow, data })),
            Frame::Control { kind, data } => return Ok(Some(Event::Control { kind, data })),
            Frame::Pong { token } => {
                return Ok(Some(Event::Pong { round_trip: self.pings.answer(token, now)? }));
            }
            Frame::Window { id, limit } => self.on_window(id, limit)?,
            Frame::Ack { received, at } => {
                self.flight.acknowledge(received, at, now, !self.schedule.is_idle())?;
            }
            Frame::Ping { token } => self.pings.owe(token),
            Frame::Hello(_) => {}
        }
        Ok(None)
    }

    fn on_hello(&mut self, hello: Hello) -> Result<Event<'static>, Error> {
        self.handshake.on_hello(hello)?;
        if self.role == Role::Agent {
            self.flight.choose(hello.latency);
        }
        Ok(Event::Ready)
    }

    fn require_hello(&self, kind: Kind) -> Result<(), Error> {
        if self.handshake.is_done() { Ok(()) } else { Err(Error::Unexpected(kind.name())) }
    }

    fn on_open(
        &mut self,
        id: u32,
        limit: u64,
        target: SocketAddr,
        now: Micros,
    ) -> Result<Option<Event<'static>>, Error> {
        if self.role == Role::Client || !self.streams.claim(id) {
            return Err(Error::Unexpected(Kind::Open.name()));
        }
        if self.outbox.is_full() {
            return Err(Error::Flood);
        }
        if self.is_crowded() {
            self.outbox.push(Notice::Refused(id, Reason::Exhausted));
            return Ok(None);
        }
        let receive = ReceiveWindow::new(&mut self.pool, now);
        self.streams.insert(id, Stream::new(Phase::Incoming, SendWindow::new(limit), receive));
        Ok(Some(Event::Incoming { id: StreamId(id), target }))
    }

    fn on_opened(&mut self, id: u32, limit: u64) -> Result<Option<Event<'static>>, Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(None) };
        if stream.phase != Phase::Asked || !stream.send.raise(limit) {
            return Err(Error::Unexpected(Kind::Opened.name()));
        }
        stream.phase = Phase::Open;
        self.advance(id);
        Ok(Some(Event::Opened { id: StreamId(id) }))
    }

    fn on_refused(&mut self, id: u32, reason: Reason) -> Result<Option<Event<'static>>, Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(None) };
        if stream.phase != Phase::Asked {
            return Err(Error::Unexpected(Kind::Refused.name()));
        }
        self.forget(id);
        Ok(Some(Event::Refused { id: StreamId(id), reason }))
    }

    fn on_data<'a>(&mut self, id: u32, data: &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        self.require_hello(Kind::Data)?;
        let Some(stream) = self.streams.named(id)? else { return Ok(None) };
        if stream.phase == Phase::Asked || stream.peer_finished {
            return Err(Error::Unexpected(Kind::Data.name()));
        }
        if !stream.receive.receive(data.len()) {
            return Err(Error::Credit(id));
        }
        self.unread += data.len();
        Ok(Some(Event::Data { id: StreamId(id), data }))
    }

    fn on_eof(&mut self, id: u32) -> Result<Option<Event<'static>>, Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(None) };
        if stream.phase == Phase::Asked || stream.peer_finished {
            return Err(Error::Unexpected(Kind::Eof.name()));
        }
        stream.peer_finished = true;
        self.forget_if_over(id);
        Ok(Some(Event::Eof { id: StreamId(id) }))
    }

    fn on_reset(&mut self, id: u32, reason: Reason) -> Result<Option<Event<'static>>, Error> {
        let lives = self.streams.named(id)?.is_some();
        self.forget(id);
        Ok(lives.then_some(Event::Reset { id: StreamId(id), reason }))
    }

    fn on_window(&mut self, id: u32, limit: u64) -> Result<(), Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(()) };
        if !stream.send.raise(limit) {
            return Err(Error::Unexpected(Kind::Window.name()));
        }
        self.advance(id);
        Ok(())
    }
}
