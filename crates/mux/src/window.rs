//! Credit: how much a stream's sender may send before its reader has taken something.
//!
//! Both windows count from the start of the stream, so a limit is a place in the stream and saying it twice is harmless.
//! [`Pool`] bounds what all readers of one end have promised together: start reading there for the memory of an end.

/// Credit that every stream has without being told: what the client may send behind its OPEN, before any answer.
/// It holds a usual HTTP request or TLS greeting (about 2 KiB), and 16384 streams of it are 64 MiB.
pub(crate) const FLOOR: u32 = 4 << 10;

/// Credit above the floor that all streams of one end promise together (docs/wire.md, "Memory").
const POOL: usize = 32 << 20;

/// First windows come from half of the pool; the other half is left for streams that show that they use it.
const FIRST_POOL: usize = POOL / 2;

/// A new stream gets this part of what is left for first windows: 256 KiB for the first, half as much for the 45th, 4 KiB
/// from about the 270th on.
const FIRST_SHARE: usize = 64;

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
}

impl ReceiveWindow {
    pub(crate) fn new(pool: &mut Pool) -> Self {
        let size = pool.first();
        Self { received: 0, consumed: 0, granted: u64::from(size), size }
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

    /// Raise the limit once half of the window is used up; true if the peer must be told.
    pub(crate) fn update(&mut self, pool: &mut Pool) -> bool {
        let left = self.granted - self.consumed;
        if left > u64::from(self.size / 2) {
            return false;
        }
        self.size = pool.grow(self.size);
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

    #[test]
    fn credit_ends_exactly_at_the_limit() {
        let mut window = ReceiveWindow::new(&mut Pool::new(LARGEST));
        let credit = usize::try_from(window.granted()).expect("small");
        assert!(window.receive(credit));
        assert!(!window.receive(1));
    }

    #[test]
    fn an_update_comes_when_half_is_consumed_and_not_before() {
        let mut pool = Pool::new(FLOOR);
        let mut window = ReceiveWindow::new(&mut pool);
        window.receive(FLOOR as usize);
        window.consume(FLOOR as usize / 2 - 1);
        assert!(!window.update(&mut pool));
        window.consume(1);
        assert!(window.update(&mut pool));
        assert_eq!(window.granted(), u64::from(FLOOR / 2 + FLOOR));
    }

    #[test]
    fn a_window_in_use_doubles_up_to_the_largest() {
        let mut pool = Pool::new(LARGEST);
        let mut window = ReceiveWindow::new(&mut pool);
        let mut sizes = vec![window.size];
        while window.size < LARGEST {
            window.receive(window.size as usize);
            window.consume(window.unread());
            assert!(window.update(&mut pool));
            sizes.push(window.size);
        }
        assert_eq!(sizes, [256 << 10, 512 << 10, LARGEST]);
    }

    #[test]
    fn all_windows_together_stay_in_the_pool_and_give_it_back() {
        let mut pool = Pool::new(LARGEST);
        let mut windows: Vec<_> = (0..1000).map(|_| ReceiveWindow::new(&mut pool)).collect();
        assert!(pool.promised <= FIRST_POOL);
        for window in &mut windows {
            window.receive(window.size as usize);
            window.consume(window.unread());
            window.update(&mut pool);
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
