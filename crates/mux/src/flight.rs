//! What is under way in the pipe: marks of what was written when, and the receipts that come back for it.
//!
//! Whatever was written can no longer be overtaken, so a bound on it is a bound on how long a keystroke waits. The bound
//! here is fixed; whoever makes it follow the link changes [`Flight`] and nothing else. [`Receipts`] is the other
//! direction: what we still have to acknowledge.

use std::collections::VecDeque;

use crate::{Error, Micros};

/// Room kept free by bulk for what must not wait for an acknowledgement: streams that send little, and the small
/// control frames. 4 KiB each is a screenful of a terminal or some hundred frames that open or close a stream.
const EXPRESS: usize = 4 << 10;

/// A limit below this could not hold one full frame beside the two express rooms.
const SMALLEST_LIMIT: usize = 32 << 10;

/// Marks in the ring. One per transmit is enough to time every acknowledgement of a busy pipe (1 MiB in 16 KiB frames
/// is 64); beyond it the newest mark stands for several and the measured round trip errs to the long side.
const MARKS: usize = 1024;

/// What kind of frame asks for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Control,
    Sparse,
    Bulk,
}

/// Numbered bytes that we wrote: how many, when, and how many the peer has read.
#[derive(Debug)]
pub(crate) struct Flight {
    limit: usize,
    sent: u64,
    acked: u64,
    marks: VecDeque<Mark>,
    round_trip: Option<Micros>,
    delay: Delay,
}

/// Everything before `end` was written at `written` or earlier.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: u64,
    written: Micros,
}

impl Flight {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(SMALLEST_LIMIT),
            sent: 0,
            acked: 0,
            marks: VecDeque::new(),
            round_trip: None,
            delay: Delay::default(),
        }
    }

    /// How many bytes a frame of this class may have now.
    pub(crate) fn room(&self, class: Class) -> usize {
        let kept_free = match class {
            Class::Control => 0,
            Class::Sparse => EXPRESS,
            Class::Bulk => 2 * EXPRESS,
        };
        self.limit.saturating_sub(kept_free + self.in_flight())
    }

    /// Whether a frame that cannot be cut may go. One that is larger than the limit goes alone: else it never would.
    pub(crate) fn fits(&self, class: Class, bytes: usize) -> bool {
        bytes <= self.room(class) || self.in_flight() == 0
    }

    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Remember when the bytes of this transmit were written.
    pub(crate) fn mark(&mut self, now: Micros) {
        let marked = self.marks.back().map_or(self.acked, |mark| mark.end);
        if self.sent == marked {
            return;
        }
        let full = self.marks.len() == MARKS;
        match self.marks.back_mut() {
            Some(last) if full => last.end = self.sent,
            _ => self.marks.push_back(Mark { end: self.sent, written: now }),
        }
    }

    /// The peer has read `received` bytes; its clock said `at` then.
    pub(crate) fn acknowledge(&mut self, received: u64, at: u32, now: Micros) -> Result<(), Error> {
        if received < self.acked || received > self.sent {
            return Err(Error::Acknowledged { received, sent: self.sent });
        }
        self.acked = received;
        let mut newest = None;
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.end <= received) {
            newest = Some(mark.written);
        }
        if let Some(written) = newest {
            self.round_trip = Some(Micros(now.0.saturating_sub(written.0)));
            self.delay.sample(written, at);
        }
        Ok(())
    }

    pub(crate) fn in_flight(&self) -> usize {
        (self.sent - self.acked) as usize
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn acked(&self) -> u64 {
        self.acked
    }

    pub(crate) fn round_trip(&self) -> Option<Micros> {
        self.round_trip
    }

    pub(crate) fn queue(&self) -> Option<Micros> {
        self.delay.queue
    }

    pub(crate) fn waiting_since(&self) -> Option<Micros> {
        self.marks.front().map(|mark| mark.written)
    }
}

/// One-way delay between two clocks that were never set together: only differences mean something.
#[derive(Debug, Default)]
struct Delay {
    least: Option<u32>,
    queue: Option<Micros>,
}

impl Delay {
    fn sample(&mut self, written: Micros, at: u32) {
        let delay = at.wrapping_sub(written.0 as u32);
        let least = *self.least.get_or_insert(delay);
        // Both clocks wrap; the difference of two delays is far below half of the range, so its sign tells the order.
        let above = delay.wrapping_sub(least).cast_signed();
        if above < 0 {
            self.least = Some(delay);
        }
        self.queue = Some(Micros(u64::try_from(above).unwrap_or(0)));
    }
}

/// Numbered bytes that we read and have to acknowledge.
#[derive(Debug)]
pub(crate) struct Receipts {
    threshold: u64,
    received: u64,
    reported: u64,
    at: u32,
    due: bool,
}

impl Receipts {
    /// At most 16 KiB and at most 1/16 of what may be in flight stay unreported in the middle of a busy pipe.
    pub(crate) fn new(in_flight_limit: usize) -> Self {
        let threshold = (in_flight_limit / 16).min(16 << 10) as u64;
        Self { threshold, received: 0, reported: 0, at: 0, due: false }
    }

    /// A batch was read. Between two frames nothing more is known to be on its way, so that is when the rest is
    /// reported; inside a frame more bytes are sure to follow.
    pub(crate) fn note(&mut self, received: u64, between_frames: bool, now: Micros) {
        self.received = received;
        self.at = now.0 as u32;
        let unreported = received - self.reported;
        self.due = unreported > 0 && (between_frames || unreported >= self.threshold);
    }

    /// The acknowledgement to send now, if one is due: bytes received and when.
    pub(crate) fn take(&mut self) -> Option<(u64, u32)> {
        if !self.due {
            return None;
        }
        self.due = false;
        self.reported = self.received;
        Some((self.received, self.at))
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn bulk_leaves_room_for_the_rest() {
        let mut flight = Flight::new(LIMIT);
        flight.wrote(flight.room(Class::Bulk));
        assert_eq!(flight.room(Class::Bulk), 0);
        assert_eq!(flight.room(Class::Sparse), EXPRESS);
        assert_eq!(flight.room(Class::Control), 2 * EXPRESS);
    }

    #[test]
    fn a_frame_above_the_limit_goes_alone() {
        let mut flight = Flight::new(0);
        assert!(flight.fits(Class::Control, 1 << 20));
        flight.wrote(1);
        assert!(!flight.fits(Class::Control, 1 << 20));
    }

    #[test]
    fn an_acknowledgement_measures_the_newest_bytes_it_covers() {
        let mut flight = Flight::new(LIMIT);
        for (bytes, at) in [(100, 1_000), (100, 2_000), (100, 3_000)] {
            flight.wrote(bytes);
            flight.mark(Micros(at));
        }
        flight.acknowledge(250, 0, Micros(10_000)).expect("sent");
        assert_eq!(flight.round_trip(), Some(Micros(8_000)));
        assert_eq!(flight.waiting_since(), Some(Micros(3_000)));
        assert_eq!(flight.in_flight(), 50);
    }

    #[test]
    fn the_queue_is_what_is_above_the_least_delay_across_the_wrap() {
        let mut flight = Flight::new(LIMIT);
        let peer_clock = |micros: u32| micros.wrapping_sub(1_500);
        let mut queues = Vec::new();
        for (written, delay) in [(0, 1_000), (1_000, 5_000), (2_000, 700), (3_000, 900)] {
            flight.wrote(10);
            flight.mark(Micros(written));
            let at = peer_clock(written as u32 + delay);
            flight.acknowledge(flight.sent(), at, Micros(10_000)).expect("sent");
            queues.push(flight.queue());
        }
        assert_eq!(queues, [0, 4_000, 0, 200].map(|micros| Some(Micros(micros))));
    }

    #[test]
    fn nobody_acknowledges_what_was_not_sent_or_takes_it_back() {
        let mut flight = Flight::new(LIMIT);
        flight.wrote(100);
        assert!(flight.acknowledge(101, 0, Micros(0)).is_err());
        assert!(flight.acknowledge(60, 0, Micros(0)).is_ok());
        assert!(flight.acknowledge(59, 0, Micros(0)).is_err());
    }

    #[test]
    fn marks_are_bounded_and_still_cover_everything() {
        let mut flight = Flight::new(LIMIT);
        for at in 0..5_000 {
            flight.wrote(10);
            flight.mark(Micros(at));
        }
        assert_eq!(flight.marks.len(), MARKS);
        flight.acknowledge(50_000, 0, Micros(5_000)).expect("sent");
        assert_eq!(flight.waiting_since(), None);
    }

    #[test]
    fn inside_a_frame_only_the_threshold_makes_a_receipt_due() {
        let mut receipts = Receipts::new(LIMIT);
        receipts.note(16_383, false, Micros(1));
        assert_eq!(receipts.take(), None);
        receipts.note(16_384, false, Micros(2));
        assert_eq!(receipts.take(), Some((16_384, 2)));
        receipts.note(16_385, true, Micros(3));
        assert_eq!(receipts.take(), Some((16_385, 3)));
        receipts.note(16_385, true, Micros(4));
        assert_eq!(receipts.take(), None);
    }
}
