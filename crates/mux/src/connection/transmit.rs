//! What the pipe takes: the greeting, then what is outside the numbered bytes, then control, then whose turn it is.

use super::{Connection, DATAGRAMS};
use crate::{
    Micros, Source, StreamId, Supply,
    flight::Class,
    frame::{self, Frame},
    out::Out,
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
    /// There is a frame, and it may not go now or has no space.
    Blocked,
    Idle,
}

impl Connection {
    /// Fill `space` from its beginning with what may be sent now; how many bytes (0 = nothing). Streams' bytes are read
    /// from `source` straight into it, when it is their turn.
    pub fn transmit(&mut self, space: &mut [u8], now: Micros, source: &mut impl Source) -> usize {
        if self.dead.is_some() {
            return 0;
        }
        let mut out = Out::new(space, std::mem::take(&mut self.carry));
        self.datagrams.expire(now);
        self.schedule.set_quantum(self.flight.frame());
        while out.room() > 0 && self.put_next(&mut out, now, source) {}
        self.resume = if self.schedule.is_idle() { None } else { self.flight.paced_until(now) };
        let (used, carry) = out.finish();
        self.carry = carry;
        used
    }

    fn put_next(&mut self, out: &mut Out, now: Micros, source: &mut impl Source) -> bool {
        if self.handshake.greet(out) || self.put_unnumbered(out) {
            return true;
        }
        if !self.handshake.is_done() {
            return false;
        }
        match self.put_control(out, now) {
            Step::Sent => true,
            // Whatever went instead would take the room that control waits for.
            Step::Blocked => false,
            Step::Idle => self.put_turn(out, now, source),
        }
    }

    fn put_unnumbered(&mut self, out: &mut Out) -> bool {
        if !self.handshake.has_greeted() {
            return false;
        }
        let receipt = self.receipts.take().map(|(received, at)| Frame::Ack { received, at });
        let frame = receipt.or_else(|| self.pings.take());
        frame.map(|frame| frame.encode(out)).is_some()
    }

    fn put_control(&mut self, out: &mut Out, now: Micros) -> Step {
        while let Some(notice) = self.outbox.notice() {
            if !self.flight.fits(Class::Control, NOTICE, now) {
                return Step::Blocked;
            }
            self.outbox.drop_notice();
            if let Some(frame) = self.frame_of(notice) {
                self.flight.wrote(frame.encode(out), Class::Control, now);
                return Step::Sent;
            }
        }
        self.put_message(out, now)
    }

    fn put_message(&mut self, out: &mut Out, now: Micros) -> Step {
        let Some((kind, data)) = self.outbox.message() else { return Step::Idle };
        if !self.flight.fits(Class::Control, data.len() + FRONT, now) {
            return Step::Blocked;
        }
        let frame = Frame::Control { kind: *kind, data: data.clone() };
        self.flight.wrote(frame.encode(out), Class::Control, now);
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

    fn put_turn(&mut self, out: &mut Out, now: Micros, source: &mut impl Source) -> bool {
        while let Some((key, class)) = self.schedule.head() {
            let step = if key == DATAGRAMS {
                self.put_datagram(out, class, now)
            } else {
                self.put_data(out, key, (class, now), source)
            };
            match step {
                Step::Sent => return true,
                Step::Blocked => return false,
                Step::Idle => {}
            }
        }
        false
    }

    fn put_datagram(&mut self, out: &mut Out, class: Class, now: Micros) -> Step {
        // A datagram cannot be cut and may be worth several turns. DATA is at most one.
        if self.schedule.put_off(&mut self.datagrams.turn) {
            return Step::Idle;
        }
        let Some((flow, data)) = self.datagrams.first() else {
            self.schedule.settle(&mut self.datagrams.turn, 0, false);
            return Step::Idle;
        };
        if !self.flight.fits(class, data.len() + FRONT, now) {
            return Step::Blocked;
        }
        let written = Frame::Datagram { flow, data: data.clone() }.encode(out);
        self.flight.wrote(written, class, now);
        self.datagrams.pop();
        let more = !self.datagrams.is_empty();
        self.schedule.settle(&mut self.datagrams.turn, written, more);
        Step::Sent
    }

    fn put_data(
        &mut self,
        out: &mut Out,
        id: u32,
        (class, now): (Class, Micros),
        source: &mut impl Source,
    ) -> Step {
        let Some(stream) = self.streams.get(id) else {
            self.schedule.forget_head();
            return Step::Idle;
        };
        debug_assert!(stream.can_send(), "a stream is listed only while it can send");
        let most = stream.send.room().min(self.flight.frame()).min(self.handshake.longest_data());
        let room = self.flight.room(class, now).saturating_sub(FRONT);
        let least = most.min(SPLINTER);
        if room < least {
            return Step::Blocked;
        }
        let read = |buffer: &mut [u8]| {
            let supply = source.read(StreamId(id), buffer);
            let count = if let Supply::Bytes { count, .. } = supply { count } else { 0 };
            debug_assert!(count <= buffer.len(), "nobody reads more than there is space for");
            (count, supply)
        };
        let Some((written, supply)) = frame::put_data(out, id, (least, most.min(room)), read) else {
            return Step::Blocked;
        };
        stream.ready = false;
        match supply {
            Supply::Bytes { count, more } => {
                stream.ready = more;
                stream.send.spend(count);
                self.flight.wrote(written, class, now);
                let more = stream.can_send();
                self.schedule.settle(&mut stream.turn, count, more);
            }
            Supply::Empty => {
                self.schedule.settle(&mut stream.turn, 0, false);
                return Step::Idle;
            }
            Supply::End => {
                stream.ours = Direction::Queued;
                self.schedule.settle(&mut stream.turn, 0, false);
                self.outbox.push(Notice::Eof(id));
            }
            Supply::Broken(reason) => {
                self.schedule.settle(&mut stream.turn, 0, false);
                self.outbox.push(Notice::Reset(id, reason));
                self.forget(id);
            }
        }
        Step::Sent
    }
}
