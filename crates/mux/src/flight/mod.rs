//! What is under way in the pipe, and how much more may be.
//!
//! Whatever was written can no longer be overtaken, so a bound on it is a bound on how long a keystroke waits. [`rule`]
//! finds the bound for the link as it is; here are the counters, and who may use what is free. [`receipts`] is the other
//! direction: what we still have to acknowledge.

mod least;
mod marks;
mod receipts;
mod rule;

pub(crate) use receipts::Receipts;

use crate::{Error, Latency, Micros};
use marks::{Mark, Marks};
use rule::{News, Rule};

/// What may go beyond the bound because it must not wait for an acknowledgement: streams that send little, and control
/// frames beyond them. 4 KiB each is a screenful of a terminal or some hundred frames that open or close a stream.
const EXPRESS: usize = 4 << 10;

/// Less could not hold a useful frame.
const SMALLEST_LIMIT: usize = 4 << 10;

/// As much as OpenSSH's window for a session lets through in one round trip.
const SSH_WINDOW: usize = 2 << 20;

/// Bulk may be ahead of its pace by so much: timers wake us a millisecond late, and it must not lose that.
const BURST: f64 = 2_000.0;

/// A fixed limit is held to be reached, and bulk to be held back by it, from so much of it on: frames do not fill it to the
/// last byte.
const HELD: f64 = 0.8;

/// Clocks that run apart by more than this between two acknowledgements have not run: one of the two computers slept.
const SLEPT: i64 = 5_000_000;

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
    latency: Latency,
    sent: u64,
    acked: u64,
    marks: Marks,
    rule: Rule,
    /// When bulk may go on, in microseconds.
    paced_until: f64,
    /// The newest acknowledgement: when it came, and when the peer had read that, by its clock, which starts anywhere.
    news: Option<(Micros, Micros)>,
    /// That news is from before everything was acknowledged: it says nothing about what is under way now.
    stale: bool,
    round_trip: Option<Micros>,
}

impl Flight {
    pub(crate) fn new(latency: Latency) -> Self {
        Self {
            latency,
            sent: 0,
            acked: 0,
            marks: Marks::default(),
            rule: Rule::new(),
            paced_until: 0.0,
            news: None,
            stale: true,
            round_trip: None,
        }
    }

    /// The client's choice, told by its HELLO.
    pub(crate) fn choose(&mut self, latency: Latency) {
        self.latency = latency;
    }

    /// Bytes that bulk may have in flight.
    pub(crate) fn limit(&self) -> usize {
        match self.latency {
            Latency::Adaptive => self.rule.window(),
            Latency::Fixed(bytes) => (bytes as usize).clamp(SMALLEST_LIMIT, SSH_WINDOW),
            Latency::Unlimited => SSH_WINDOW,
        }
    }

    /// How many bytes a frame of this class may have now.
    pub(crate) fn room(&self, class: Class, now: Micros) -> usize {
        let beyond = match class {
            Class::Control => 2 * EXPRESS,
            Class::Sparse => EXPRESS,
            Class::Bulk if self.is_paced(now) => return 0,
            Class::Bulk => 0,
        };
        (self.limit() + beyond).saturating_sub(self.in_flight())
    }

    /// Whether a frame that cannot be cut may go. One that is larger than the limit goes alone: else it never would.
    pub(crate) fn fits(&self, class: Class, bytes: usize, now: Micros) -> bool {
        bytes <= self.room(class, now) || self.in_flight() == 0
    }

    /// The most that a frame of bulk should have: what is in front of it is what a keystroke waits for.
    pub(crate) fn frame(&self) -> usize {
        match self.latency {
            Latency::Adaptive => self.rule.frame(),
            Latency::Fixed(_) => (self.limit() / 4).min(crate::frame::MAX_DATA),
            Latency::Unlimited => crate::frame::MAX_DATA,
        }
    }

    /// A frame is written.
    pub(crate) fn wrote(&mut self, bytes: usize, class: Class, now: Micros) {
        let first = self.in_flight() == 0;
        self.stale |= first;
        self.sent += bytes as u64;
        let before = self.news.filter(|_| !self.stale).map(|(_, peer)| (self.acked, peer));
        self.marks.push(Mark { end: self.sent, written: now, before });
        self.rule.on_written(self.sent, now, first);
        if class == Class::Bulk
            && let Some(pace) = self.pace()
        {
            self.paced_until = self.paced_until.max(now.0 as f64 - BURST) + bytes as f64 / pace * 1e6;
        }
    }

    /// When bulk may go on, if it is only its pace that holds it.
    pub(crate) fn paced_until(&self, now: Micros) -> Option<Micros> {
        let has_room = self.in_flight() < self.limit();
        (has_room && self.is_paced(now)).then(|| Micros(self.paced_until.ceil() as u64))
    }

    /// The peer has read `received` bytes; its clock said `at` then. `hungry`: there is more to send than is allowed.
    pub(crate) fn acknowledge(
        &mut self,
        received: u64,
        at: u32,
        now: Micros,
        hungry: bool,
    ) -> Result<(), Error> {
        if received < self.acked || received > self.sent {
            return Err(Error::Acknowledged { received, sent: self.sent });
        }
        let held = hungry && (self.is_paced(now) || self.in_flight() as f64 >= HELD * self.limit() as f64);
        let peer = self.peer_clock(at, now);
        let mark = self.marks.take(received);
        self.acked = received;
        self.news = Some((now, peer));
        self.stale = false;
        if let Some(mark) = mark {
            self.round_trip = Some(Micros(now.0.saturating_sub(mark.written.0)));
            self.rule.on_news(&News { now, received, peer, sent: self.sent, mark, held });
        }
        Ok(())
    }

    /// The peer's 32 bits put beside our own clock, which is close enough to tell how often they wrapped.
    fn peer_clock(&mut self, at: u32, now: Micros) -> Micros {
        /// Before any difference that the two clocks can have, so that none is negative.
        const ORIGIN: u64 = 1 << 40;
        let Some((then, peer)) = self.news else {
            return Micros(ORIGIN + u64::from(at));
        };
        let ours = now.0.saturating_sub(then.0);
        let expected = (peer.0 + ours) as u32;
        let apart = i64::from(at.wrapping_sub(expected).cast_signed());
        if apart.abs() > SLEPT {
            self.marks.forget_news();
            self.rule.start_again(now);
        }
        Micros((peer.0 + ours).saturating_add_signed(apart))
    }

    fn pace(&self) -> Option<f64> {
        if self.latency == Latency::Adaptive { self.rule.pace() } else { None }
    }

    fn is_paced(&self, now: Micros) -> bool {
        (now.0 as f64) < self.paced_until
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

    /// The round trip without our own queue, once it is known.
    pub(crate) fn path(&self) -> Option<Micros> {
        self.rule.path().map(|path| Micros((path * 1e6) as u64)).or(self.round_trip)
    }

    /// Bytes a second.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.rule.rate().map(|rate| rate as u64)
    }

    pub(crate) fn queue(&self) -> Option<Micros> {
        self.news.map(|_| Micros((self.rule.queue() * 1e6) as u64))
    }

    pub(crate) fn waiting_since(&self) -> Option<Micros> {
        self.marks.oldest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 1 << 20;
    const NOW: Micros = Micros(0);

    fn fixed() -> Flight {
        Flight::new(Latency::Fixed(LIMIT))
    }

    #[test]
    fn what_is_small_goes_beyond_what_bulk_may() {
        let mut flight = fixed();
        flight.wrote(flight.room(Class::Bulk, NOW), Class::Bulk, NOW);
        assert_eq!(flight.room(Class::Bulk, NOW), 0);
        assert_eq!(flight.room(Class::Sparse, NOW), EXPRESS);
        assert_eq!(flight.room(Class::Control, NOW), 2 * EXPRESS);
    }

    #[test]
    fn a_frame_above_the_limit_goes_alone() {
        let mut flight = Flight::new(Latency::Fixed(0));
        assert!(flight.fits(Class::Control, 1 << 20, NOW));
        flight.wrote(1, Class::Control, NOW);
        assert!(!flight.fits(Class::Control, 1 << 20, NOW));
    }

    #[test]
    fn an_acknowledgement_measures_the_newest_bytes_it_covers() {
        let mut flight = fixed();
        for at in [1_000, 2_000, 3_000] {
            flight.wrote(2_000, Class::Bulk, Micros(at));
        }
        flight.acknowledge(5_000, 0, Micros(10_000), false).expect("sent");
        assert_eq!(flight.round_trip(), Some(Micros(8_000)));
        assert_eq!(flight.waiting_since(), Some(Micros(3_000)));
        assert_eq!(flight.in_flight(), 1_000);
    }

    #[test]
    fn the_queue_is_what_is_above_the_least_delay_across_the_wrap() {
        let mut flight = fixed();
        let mut queues = Vec::new();
        for (written, delay) in [(0, 1_000), (1_000, 5_000), (2_000, 700), (3_000, 900)] {
            flight.wrote(10, Class::Sparse, Micros(written));
            let at = (written as u32 + delay).wrapping_sub(1_500);
            flight.acknowledge(flight.sent(), at, Micros(written + 10_000), false).expect("sent");
            queues.push(flight.queue());
        }
        assert_eq!(queues, [0, 4_000, 0, 200].map(|micros| Some(Micros(micros))));
    }

    #[test]
    fn nobody_acknowledges_what_was_not_sent_or_takes_it_back() {
        let mut flight = fixed();
        flight.wrote(100, Class::Bulk, NOW);
        assert!(flight.acknowledge(101, 0, NOW, false).is_err());
        assert!(flight.acknowledge(60, 0, NOW, false).is_ok());
        assert!(flight.acknowledge(59, 0, NOW, false).is_err());
    }

    #[test]
    fn only_a_limit_that_follows_the_link_is_paced() {
        for (latency, paced) in [(Latency::Adaptive, true), (Latency::Unlimited, false)] {
            let mut flight = Flight::new(latency);
            flight.wrote(30_000, Class::Bulk, NOW);
            for step in 1..10 {
                let now = step * 10_000;
                flight.wrote(30_000, Class::Bulk, Micros(now));
                flight
                    .acknowledge(step * 30_000, now as u32 + 5_000, Micros(now + 5_000), true)
                    .expect("sent");
            }
            let now = Micros(110_000);
            flight.wrote(60_000, Class::Bulk, now);
            assert_eq!(flight.paced_until(now).is_some(), paced, "{latency:?}: {:?}", flight.rate());
        }
    }
}
