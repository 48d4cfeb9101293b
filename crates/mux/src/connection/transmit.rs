//! What the pipe takes: the greeting, then what is outside the numbered bytes, then control, then whose turn it is.

use bytes::BytesMut;

use super::{Connection, DATAGRAMS};
use crate::{
    Event, Micros, StreamId,
    flight::Class,
    frame::{self, Frame},
    outbox::Notice,
    stream::{Direction, Phase},
};

/// The longest frame of the outbox's notices, OPEN, with its head.
const NOTICE: usize = 36;

/// What stands before the payload of DATA or DATAGRAM: kind, length, stream or flow.
const FRONT: usize = 9;

/// DATA is not cut shorter than this for want of room: a stream of splinters would cost more than the wait.
const SPLINTER: usize = 1 << 10;

/// What became of an attempt to send a frame.
enum Step {
    Sent,
    /// There is a frame, and no room for it.
    Blocked,
    Idle,
}

impl Connection {
    /// Append at most `room` bytes to `out`; how many (0 = nothing may be sent now).
    pub fn transmit(&mut self, out: &mut BytesMut, room: usize, now: Micros) -> usize {
        if self.dead.is_some() {
            return 0;
        }
        let start = out.len();
        let end = start.saturating_add(room);
        self.put_carry(out, room);
        self.datagrams.expire(now);
        while out.len() < end && self.put_next(out) {}
        self.flight.mark(now);
        if out.len() > end {
            self.carry.extend_from_slice(&out[end..]);
            out.truncate(end);
        }
        out.len() - start
    }

    fn put_carry(&mut self, out: &mut BytesMut, room: usize) {
        out.extend_from_slice(&self.carry.split_to(room.min(self.carry.len())));
        if self.carry.is_empty() {
            self.carry = BytesMut::new();
        }
    }

    fn put_next(&mut self, out: &mut BytesMut) -> bool {
        if self.handshake.greet(out) > 0 || self.put_unnumbered(out) {
            return true;
        }
        if !self.handshake.is_done() {
            return false;
        }
        match self.put_control(out) {
            Step::Sent => true,
            // Whatever went instead would take the room that control waits for.
            Step::Blocked => false,
            Step::Idle => self.put_turn(out),
        }
    }

    fn put_unnumbered(&mut self, out: &mut BytesMut) -> bool {
        if !self.handshake.has_greeted() {
            return false;
        }
        let receipt = self.receipts.take().map(|(received, at)| Frame::Ack { received, at });
        let frame = receipt.or_else(|| self.pings.take());
        frame.map(|frame| frame.encode(out)).is_some()
    }

    fn put_control(&mut self, out: &mut BytesMut) -> Step {
        while let Some(notice) = self.outbox.notice() {
            if !self.flight.fits(Class::Control, NOTICE) {
                return Step::Blocked;
            }
            self.outbox.drop_notice();
            if let Some(frame) = self.frame_of(notice) {
                self.flight.wrote(frame.encode(out));
                return Step::Sent;
            }
        }
        self.put_message(out)
    }

    fn put_message(&mut self, out: &mut BytesMut) -> Step {
        let Some((kind, data)) = self.outbox.message() else { return Step::Idle };
        if !self.flight.fits(Class::Control, data.len() + FRONT) {
            return Step::Blocked;
        }
        let frame = Frame::Control { kind: *kind, data: data.clone() };
        self.flight.wrote(frame.encode(out));
        self.outbox.drop_message();
        Step::Sent
    }

    /// The frame of a notice, `None` if its stream is gone. The stream is changed as if it were written.
    fn frame_of(&mut self, notice: Notice) -> Option<Frame> {
        match notice {
            Notice::Refused(id, reason) => Some(Frame::Refused { id, reason }),
            Notice::Reset(id, reason) => Some(Frame::Reset { id, reason }),
            Notice::Open(id) => self.open_frame(id),
            Notice::Opened(id) => {
                self.streams.get(id).map(|stream| Frame::Opened { id, limit: stream.receive.granted() })
            }
            Notice::Window(id) => self.streams.get(id).map(|stream| {
                stream.window_queued = false;
                Frame::Window { id, limit: stream.receive.granted() }
            }),
            Notice::Eof(id) => {
                self.streams.get(id)?.ours = Direction::Finished;
                self.forget_if_over(id);
                Some(Frame::Eof { id })
            }
        }
    }

    fn open_frame(&mut self, id: u32) -> Option<Frame> {
        let stream = self.streams.get(id)?;
        let Phase::Unsent(target) = stream.phase else { return None };
        stream.phase = Phase::Asked;
        Some(Frame::Open { id, limit: stream.receive.granted(), target })
    }

    fn put_turn(&mut self, out: &mut BytesMut) -> bool {
        while let Some((key, class)) = self.schedule.head() {
            let step =
                if key == DATAGRAMS { self.put_datagram(out, class) } else { self.put_data(out, key, class) };
            match step {
                Step::Sent => return true,
                Step::Blocked => return false,
                Step::Idle => {}
            }
        }
        false
    }

    fn put_datagram(&mut self, out: &mut BytesMut, class: Class) -> Step {
        // A datagram cannot be cut and may be worth several turns. DATA is at most one.
        if self.schedule.put_off(&mut self.datagrams.turn) {
            return Step::Idle;
        }
        let Some((flow, data)) = self.datagrams.first() else {
            self.schedule.settle(&mut self.datagrams.turn, 0, false);
            return Step::Idle;
        };
        if !self.flight.fits(class, data.len() + FRONT) {
            return Step::Blocked;
        }
        let written = Frame::Datagram { flow, data: data.clone() }.encode(out);
        self.flight.wrote(written);
        self.datagrams.pop();
        let more = !self.datagrams.is_empty();
        self.schedule.settle(&mut self.datagrams.turn, written, more);
        Step::Sent
    }

    fn put_data(&mut self, out: &mut BytesMut, id: u32, class: Class) -> Step {
        let Some(stream) = self.streams.get(id) else {
            self.schedule.forget_head();
            return Step::Idle;
        };
        debug_assert!(stream.can_send(), "a stream is listed only while it can send");
        let wanted = stream.outgoing.len().min(stream.send.room()).min(frame::MAX_DATA);
        let count = wanted.min(self.flight.room(class).saturating_sub(FRONT));
        if count < wanted.min(SPLINTER) {
            return Step::Blocked;
        }
        self.flight.wrote(frame::put_data(out, id, stream.outgoing.first(count)));
        self.queued -= count;
        stream.send.spend(count);
        stream.outgoing.advance(count);
        let more = stream.can_send();
        self.schedule.settle(&mut stream.turn, count, more);
        self.after_data(id);
        Step::Sent
    }

    /// The stream has room again, and perhaps nothing but EOF left.
    fn after_data(&mut self, id: u32) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.wants_room && stream.outgoing.room() >= frame::MAX_DATA / 2 {
            stream.wants_room = false;
            if stream.ours == Direction::Running {
                self.events.push_back(Event::Writable { id: StreamId(id) });
            }
        }
        self.advance(id);
    }
}
