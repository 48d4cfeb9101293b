//! What we still have to acknowledge: the other direction of [`super::Flight`].

use crate::Micros;

/// So much is reported wherever a read ends: the largest frame. Less would make an ACK of every read of a busy pipe, more
/// would let the sender wait for news.
const ALWAYS: u64 = 16 << 10;

/// So much when a frame ended in the read. On a slow line reads are single segments that end anywhere, frames are small, and
/// the sender learns the line's rate from these: 437 ms of a 300 kbit/s line are 16 KiB.
const AFTER_A_FRAME: u64 = 2 << 10;

/// Numbered bytes that we read and have to acknowledge.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    received: u64,
    reported: u64,
    at: u32,
    due: bool,
}

impl Receipts {
    /// A batch was read, with frames that ended up to `whole`. Where the batch ends with a frame nothing more is known to
    /// be on its way, so all is reported; inside a frame more bytes are sure to follow.
    pub(crate) fn note(&mut self, received: u64, whole: u64, now: Micros) {
        if received != self.received {
            self.received = received;
            self.at = now.0 as u32;
        }
        let unreported = received - self.reported;
        let ended = whole > self.reported && (whole == received || unreported >= AFTER_A_FRAME);
        self.due = ended || unreported >= ALWAYS;
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

    fn noted(reads: &[(u64, u64)]) -> Option<(u64, u32)> {
        let mut receipts = Receipts::default();
        for (at, (received, whole)) in reads.iter().enumerate() {
            receipts.note(*received, *whole, Micros(at as u64));
        }
        receipts.take()
    }

    #[test]
    fn what_ends_with_a_frame_is_reported_at_once() {
        assert_eq!(noted(&[(100, 100)]), Some((100, 0)));
        assert_eq!(noted(&[(100, 60)]), None);
        assert_eq!(noted(&[(100, 60), (160, 160)]), Some((160, 1)));
    }

    #[test]
    fn inside_a_frame_it_takes_more() {
        assert_eq!(noted(&[(2_047, 60)]), None);
        assert_eq!(noted(&[(2_048, 60)]), Some((2_048, 0)));
        assert_eq!(noted(&[(16_383, 0)]), None);
        assert_eq!(noted(&[(16_384, 0)]), Some((16_384, 0)));
    }

    #[test]
    fn nothing_is_reported_twice_and_what_only_acknowledges_moves_no_clock() {
        let mut receipts = Receipts::default();
        receipts.note(100, 100, Micros(1));
        assert_eq!(receipts.take(), Some((100, 1)));
        receipts.note(100, 100, Micros(2));
        assert_eq!(receipts.take(), None);
        receipts.note(110, 100, Micros(3));
        assert_eq!(receipts.take(), None, "the read ended inside a frame");
        receipts.note(120, 110, Micros(4));
        receipts.note(120, 120, Micros(5));
        assert_eq!(receipts.take(), Some((120, 4)));
    }
}
