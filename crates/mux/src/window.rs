//! Credit: how much a stream's sender may send before its reader has taken something.
//!
//! Both windows count from the start of the stream, so a limit is a place in the stream and saying it twice is harmless.
//! [`Pool`] bounds what all readers of one end have promised together: start reading there for the memory of an end.

use crate::Micros;

/// Credit that every stream has without being told: what the client may send behind its OPEN, before any answer.
/// It holds a usual HTTP request or TLS greeting (about 2 KiB), and 16384 streams of it are 64 MiB.
pub(crate) const FLOOR: u32 = 4 << 10;

/// Credit above the floor that all streams of one end promise together (docs/wire.md, "Memory").
const POOL: usize = 32 << 20;

/// First windows come from half of the pool; the other half is left for streams that show that they use it.
const FIRST_POOL: usize = POOL / 2;

/// A new stream gets this part of what is left for first windows: 64 KiB for the first, half as much for the 180th, 4 KiB
/// from about the 700th on. More would gain nothing: TCP itself starts with 14 KiB, and a window that is used doubles.
const FIRST_SHARE: usize = 256;

/// While readers leave so much lying, no window grows.
const MUCH_UNREAD: usize = 16 << 20;

/// The limit is raised when this part of the window is used up. The rest must last until the news is there: with a half,
/// as yamux and quiche have it, a window would have to be twice what is under way, and 2 MiB would carry 84 Mbit/s at
/// 100 ms instead of 99 (simulated).
const PART: u32 = 4;

/// A part that lasted for less than a round trip was too small: the window is less than four times what is under way.
/// yamux and quiche double at the same rate, two round trips for a half.
const TOO_FAST: u64 = 1;

/// What we may send.
#[derive(Debug)]
pub(crate) struct SendWindow {
    sent: u64,
    limit: u64,
}

impl SendWindow {
    pub(crate) fn new(limit: u64) -> Self {
        Self { sent: 0, limit }
    }

    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.limit - self.sent).unwrap_or(usize::MAX)
    }

    pub(crate) fn spend(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.room(), "the scheduler never takes more than the credit");
        self.sent += bytes as u64;
    }

    /// The peer's new limit; false if it takes credit back, which it must not.
    pub(crate) fn raise(&mut self, limit: u64) -> bool {
        let rises = limit >= self.limit;
        self.limit = self.limit.max(limit);
        rises
    }
}

/// What the peer may send us.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    received: u64,
    consumed: u64,
    granted: u64,
    /// How far `granted` runs ahead of `consumed` after an update.
    size: u32,
    /// When the limit was raised.
    raised: Micros,
}

/// What the growth of a window depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Micros,
    /// `None` while it is not known.
    pub(crate) round_trip: Option<Micros>,
    /// What all readers of this end leave lying.
    pub(crate) unread: usize,
}

impl ReceiveWindow {
    pub(crate) fn new(pool: &mut Pool, now: Micros) -> Self {
        let size = pool.first();
        Self { received: 0, consumed: 0, granted: u64::from(size), size, raised: now }
    }

    /// Bytes arrived; false if there was no credit for them.
    pub(crate) fn receive(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        self.received <= self.granted
    }

    /// The reader took bytes; how many of them were not counted as consumed yet.
    pub(crate) fn consume(&mut self, bytes: usize) -> usize {
        let taken = bytes.min(self.unread());
        self.consumed += taken as u64;
        taken
    }

    /// Raise the limit once a quarter of the window is used up, and double the window if that went fast; true if the peer
    /// must be told.
    pub(crate) fn update(&mut self, pool: &mut Pool, moment: Moment) -> bool {
        let left = self.granted - self.consumed;
        if left > u64::from(self.size - self.size / PART) {
            return false;
        }
        let lasted = moment.now.0.saturating_sub(self.raised.0);
        let fast = moment.round_trip.is_none_or(|round_trip| lasted <= TOO_FAST * round_trip.0);
        if fast && moment.unread <= MUCH_UNREAD {
            self.size = pool.grow(self.size);
        }
        self.raised = moment.now;
        self.granted = self.consumed + u64::from(self.size);
        true
    }

    pub(crate) fn granted(&self) -> u64 {
        self.granted
    }

    pub(crate) fn unread(&self) -> usize {
        (self.received - self.consumed) as usize
    }

    pub(crate) fn release(self, pool: &mut Pool) {
        pool.give_back(self.size);
    }
}

/// The credit that all streams of one end have promised above the floor.
#[derive(Debug)]
pub(crate) struct Pool {
    largest: u32,
    promised: usize,
}

impl Pool {
    /// `largest` is the largest window of one stream.
    pub(crate) fn new(largest: u32) -> Self {
        Self { largest: largest.max(FLOOR), promised: 0 }
    }

    fn first(&mut self) -> u32 {
        let share = FIRST_POOL.saturating_sub(self.promised) / FIRST_SHARE;
        let size = share.clamp(FLOOR as usize, self.largest as usize);
        FLOOR + self.promise(size - FLOOR as usize)
    }

    /// The next size of a window that was used: twice as large, as far as the pool and the limit of a stream allow.
    fn grow(&mut self, size: u32) -> u32 {
        let wanted = size.min(self.largest - size) as usize;
        size + self.promise(wanted.min(POOL - self.promised))
    }

    fn promise(&mut self, bytes: usize) -> u32 {
        self.promised += bytes;
        debug_assert!(self.promised <= POOL, "the bound on memory of this end");
        bytes as u32
    }

    fn give_back(&mut self, size: u32) {
        self.promised -= (size - FLOOR) as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: u32 = 1 << 20;
    const NOW: Micros = Micros(0);
    const FAST: Moment = Moment { now: NOW, round_trip: Some(Micros(50_000)), unread: 0 };

    #[test]
    fn credit_ends_exactly_at_the_limit() {
        let mut window = ReceiveWindow::new(&mut Pool::new(LARGEST), NOW);
        let credit = usize::try_from(window.granted()).expect("small");
        assert!(window.receive(credit));
        assert!(!window.receive(1));
    }

    #[test]
    fn an_update_comes_when_a_quarter_is_consumed_and_not_before() {
        let mut pool = Pool::new(FLOOR);
        let mut window = ReceiveWindow::new(&mut pool, NOW);
        window.receive(FLOOR as usize);
        window.consume(FLOOR as usize / 4 - 1);
        assert!(!window.update(&mut pool, FAST));
        window.consume(1);
        assert!(window.update(&mut pool, FAST));
        assert_eq!(window.granted(), u64::from(FLOOR / 4 + FLOOR));
    }

    #[test]
    fn a_window_in_use_doubles_up_to_the_largest() {
        let mut pool = Pool::new(LARGEST);
        let mut window = ReceiveWindow::new(&mut pool, NOW);
        let mut sizes = vec![window.size];
        while window.size < LARGEST {
            window.receive(window.size as usize);
            window.consume(window.unread());
            assert!(window.update(&mut pool, FAST));
            sizes.push(window.size);
        }
        assert_eq!(sizes, [64 << 10, 128 << 10, 256 << 10, 512 << 10, LARGEST]);
    }

    #[test]
    fn a_window_that_lasts_or_meets_readers_that_stopped_stays() {
        let mut pool = Pool::new(LARGEST);
        let lasts = Moment { now: Micros(100_000), ..FAST };
        let crowded = Moment { unread: MUCH_UNREAD + 1, ..FAST };
        for moment in [lasts, crowded] {
            let mut window = ReceiveWindow::new(&mut pool, NOW);
            let size = window.size;
            window.receive(size as usize);
            window.consume(window.unread());
            assert!(window.update(&mut pool, moment));
            assert_eq!(window.size, size);
        }
    }

    #[test]
    fn all_windows_together_stay_in_the_pool_and_give_it_back() {
        let mut pool = Pool::new(LARGEST);
        let mut windows: Vec<_> = (0..1000).map(|_| ReceiveWindow::new(&mut pool, NOW)).collect();
        assert!(pool.promised <= FIRST_POOL);
        for window in &mut windows {
            window.receive(window.size as usize);
            window.consume(window.unread());
            window.update(&mut pool, FAST);
        }
        let promised: u64 = windows.iter().map(|window| u64::from(window.size)).sum();
        assert!(promised <= POOL as u64 + 1000 * u64::from(FLOOR));
        for window in windows {
            window.release(&mut pool);
        }
        assert_eq!(pool.promised, 0);
    }

    #[test]
    fn a_limit_that_falls_is_noticed() {
        let mut window = SendWindow::new(10);
        assert!(window.raise(10));
        assert!(!window.raise(9));
        assert_eq!(window.room(), 10);
    }
}
