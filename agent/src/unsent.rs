//! What a target's socket has not taken yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// From here on the ring grows by so much and no longer doubles: a window of 2.5 MiB would hold 4, and 6 while it moves.
const STEP: usize = 256 << 10;

/// Bytes for one socket, in a ring that is as large as what waits. Pieces are joined, so that a client that sends single bytes
/// costs no more than its credit; nothing is allocated while nothing waits.
#[derive(Debug, Default)]
pub struct Unsent {
    ring: VecDeque<u8>,
}

impl Unsent {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.ring.len() >= STEP && self.ring.capacity() - self.ring.len() < bytes.len() {
            self.ring.reserve_exact(STEP.max(bytes.len()));
        }
        self.ring.extend(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// How many bytes `socket` takes now; 0 when it would block.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        while !self.ring.is_empty() {
            let (first, second) = self.ring.as_slices();
            match socket.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(length) => {
                    written += length;
                    self.ring.drain(..length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Not `clear`: an idle connection keeps no memory.
        self.ring = VecDeque::new();
        Ok(written)
    }

    /// Nobody wants it any more; how many bytes it was.
    pub fn discard(&mut self) -> usize {
        std::mem::take(&mut self.ring).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at once, and then nothing until the next turn.
    struct Slow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_comes_out_once_and_in_order_and_no_memory_stays() {
        let (mut unsent, mut socket) = (Unsent::default(), Slow { taken: vec![], room: 0 });
        let (mut pushed, mut written) = (0u16, 0);
        while written < 2_000 {
            if pushed < 1_000 {
                unsent.push(&pushed.to_be_bytes());
                pushed += 1;
            }
            socket.room = 1 + usize::from(pushed % 5);
            written += unsent.flush(&mut socket).expect("it only blocks");
        }
        assert_eq!(socket.taken, (0..1_000u16).flat_map(u16::to_be_bytes).collect::<Vec<_>>());
        assert_eq!(unsent.ring.capacity(), 0);
    }

    #[test]
    fn single_bytes_cost_little_more_than_bytes() {
        let mut unsent = Unsent::default();
        (0..10_000).for_each(|_| unsent.push(b"x"));
        assert!(unsent.ring.capacity() <= 2 * 10_000);
        assert_eq!((unsent.discard(), unsent.ring.capacity()), (10_000, 0));
    }
}
