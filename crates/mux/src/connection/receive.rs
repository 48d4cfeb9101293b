//! What the pipe delivers: bytes become frames, frames become events and changes of streams.
//!
//! A frame for a stream that is over is late and passed over; one that no honest peer sends ends the connection.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Connection;
use crate::{
    Error, Event, Micros, Reason, Role, StreamId,
    decoder::Piece,
    frame::{Frame, Kind},
    outbox::Notice,
    stream::{Phase, Stream},
    window::{ReceiveWindow, SendWindow},
};

impl Connection {
    /// Feed bytes read from the pipe, in any split. After an error the connection is dead and says only that.
    pub fn receive(&mut self, bytes: &[u8], now: Micros) -> Result<(), Error> {
        if self.dead.is_none() {
            self.dead = self.take_in(bytes, now).err();
        }
        self.dead.clone().map_or(Ok(()), Err)
    }

    fn take_in(&mut self, mut bytes: &[u8], now: Micros) -> Result<(), Error> {
        if !self.handshake.find_marker(&mut bytes)? {
            return Ok(());
        }
        while let Some(piece) = self.decoder.next(&mut bytes)? {
            match piece {
                Piece::Data { id, bytes } => self.on_data(id, bytes)?,
                Piece::Frame(frame) => self.on_frame(frame, now)?,
            }
        }
        self.receipts.note(self.decoder.received(), self.decoder.between_frames(), now);
        Ok(())
    }

    fn on_frame(&mut self, frame: Frame, now: Micros) -> Result<(), Error> {
        match frame {
            Frame::Hello(hello) => return self.on_hello(hello),
            _ => self.require_hello(frame.kind())?,
        }
        match frame {
            Frame::Hello(_) => {}
            Frame::Open { id, limit, target } => self.on_open(id, limit, target)?,
            Frame::Opened { id, limit } => self.on_opened(id, limit)?,
            Frame::Refused { id, reason } => self.on_refused(id, reason)?,
            Frame::Eof { id } => self.on_eof(id)?,
            Frame::Reset { id, reason } => self.on_reset(id, reason)?,
            Frame::Window { id, limit } => self.on_window(id, limit)?,
            Frame::Datagram { flow, data } => self.events.push_back(Event::Datagram { flow, data }),
            Frame::Control { kind, data } => self.events.push_back(Event::Control { kind, data }),
            Frame::Ack { received, at } => self.flight.acknowledge(received, at, now)?,
            Frame::Ping { token } => self.pings.owe(token),
            Frame::Pong { token } => {
                let round_trip = self.pings.answer(token, now)?;
                self.events.push_back(Event::Pong { round_trip });
            }
        }
        Ok(())
    }

    fn on_hello(&mut self, hello: crate::handshake::Hello) -> Result<(), Error> {
        self.handshake.on_hello(hello)?;
        self.events.push_back(Event::Ready);
        Ok(())
    }

    fn require_hello(&self, kind: Kind) -> Result<(), Error> {
        if self.handshake.is_done() { Ok(()) } else { Err(Error::Unexpected(kind.name())) }
    }

    fn on_open(&mut self, id: u32, limit: u64, target: SocketAddr) -> Result<(), Error> {
        if self.role == Role::Client || !self.streams.claim(id) {
            return Err(Error::Unexpected(Kind::Open.name()));
        }
        if self.outbox.is_full() {
            return Err(Error::Flood);
        }
        if self.is_crowded() {
            self.outbox.push(Notice::Refused(id, Reason::Exhausted));
            return Ok(());
        }
        let receive = ReceiveWindow::new(&mut self.pool);
        self.streams.insert(id, Stream::new(Phase::Incoming, SendWindow::new(limit), receive));
        self.events.push_back(Event::Incoming { id: StreamId(id), target });
        Ok(())
    }

    fn on_opened(&mut self, id: u32, limit: u64) -> Result<(), Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(()) };
        if stream.phase != Phase::Asked || !stream.send.raise(limit) {
            return Err(Error::Unexpected(Kind::Opened.name()));
        }
        stream.phase = Phase::Open;
        self.events.push_back(Event::Opened { id: StreamId(id) });
        self.advance(id);
        Ok(())
    }

    fn on_refused(&mut self, id: u32, reason: Reason) -> Result<(), Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(()) };
        if stream.phase != Phase::Asked {
            return Err(Error::Unexpected(Kind::Refused.name()));
        }
        self.forget(id);
        self.events.push_back(Event::Refused { id: StreamId(id), reason });
        Ok(())
    }

    fn on_data(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        self.require_hello(Kind::Data)?;
        let Some(stream) = self.streams.named(id)? else { return Ok(()) };
        if stream.phase == Phase::Asked || stream.peer_finished {
            return Err(Error::Unexpected(Kind::Data.name()));
        }
        if !stream.receive.receive(bytes.len()) {
            return Err(Error::Credit(id));
        }
        self.unread += bytes.len();
        // A copy of its own: a piece of the batch would keep the whole batch alive for as long as its reader is slow.
        self.events.push_back(Event::Data { id: StreamId(id), data: Bytes::copy_from_slice(bytes) });
        Ok(())
    }

    fn on_eof(&mut self, id: u32) -> Result<(), Error> {
        let Some(stream) = self.streams.named(id)? else { return Ok(()) };
        if stream.phase == Phase::Asked || stream.peer_finished {
            return Err(Error::Unexpected(Kind::Eof.name()));
        }
        stream.peer_finished = true;
        self.events.push_back(Event::Eof { id: StreamId(id) });
        self.forget_if_over(id);
        Ok(())
    }

    fn on_reset(&mut self, id: u32, reason: Reason) -> Result<(), Error> {
        if self.streams.named(id)?.is_some() {
            self.forget(id);
            self.events.push_back(Event::Reset { id: StreamId(id), reason });
        }
        Ok(())
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
