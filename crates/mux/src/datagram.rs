//! Datagrams on their way out: never waited for, dropped when too many or too old, the oldest first.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Micros, frame::MAX_DATAGRAM, schedule::Turn};

/// Most bytes that wait (FLOW: what a 10 Mbit/s line sends in 50 ms; more would only be late).
const MAX_QUEUED: usize = 64 << 10;

/// What each datagram costs beyond its bytes, so that empty ones are bounded too.
const COST: usize = size_of::<Entry>();

/// An answer that comes later than this has been asked for again (DNS clients repeat after 1 to 5 s).
const LIFE: u64 = 2_000_000;

#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    queue: VecDeque<Entry>,
    bytes: usize,
    pub(crate) turn: Turn,
}

#[derive(Debug)]
struct Entry {
    flow: u32,
    data: Bytes,
    queued: Micros,
}

impl Datagrams {
    /// Queue a datagram, dropping the oldest for it; false if it is too large for any queue.
    pub(crate) fn push(&mut self, flow: u32, data: Bytes, now: Micros) -> bool {
        if data.len() > MAX_DATAGRAM {
            return false;
        }
        self.bytes += data.len() + COST;
        self.queue.push_back(Entry { flow, data, queued: now });
        while self.bytes > MAX_QUEUED && self.queue.len() > 1 {
            self.pop();
        }
        true
    }

    pub(crate) fn first(&self) -> Option<(u32, &Bytes)> {
        self.queue.front().map(|entry| (entry.flow, &entry.data))
    }

    pub(crate) fn pop(&mut self) {
        if let Some(entry) = self.queue.pop_front() {
            self.bytes -= entry.data.len() + COST;
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// When the oldest is too old.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.queue.front().map(|entry| Micros(entry.queued.0 + LIFE))
    }

    pub(crate) fn expire(&mut self, now: Micros) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.pop();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(datagrams: &Datagrams) -> Vec<u32> {
        datagrams.queue.iter().map(|entry| entry.flow).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let mut datagrams = Datagrams::default();
        for flow in 0..5 {
            assert!(datagrams.push(flow, Bytes::from(vec![0; 20_000]), Micros(0)));
        }
        assert_eq!(flows(&datagrams), [2, 3, 4]);
    }

    #[test]
    fn the_largest_is_carried_alone_and_a_larger_one_not_at_all() {
        let mut datagrams = Datagrams::default();
        datagrams.push(1, Bytes::new(), Micros(0));
        assert!(datagrams.push(2, Bytes::from(vec![0; MAX_DATAGRAM]), Micros(0)));
        assert!(!datagrams.push(3, Bytes::from(vec![0; MAX_DATAGRAM + 1]), Micros(0)));
        assert_eq!(flows(&datagrams), [2]);
    }

    #[test]
    fn the_old_are_dropped_in_time() {
        let mut datagrams = Datagrams::default();
        datagrams.push(1, Bytes::from_static(b"a"), Micros(0));
        datagrams.push(2, Bytes::from_static(b"b"), Micros(1_000_000));
        assert_eq!(datagrams.deadline(), Some(Micros(LIFE)));
        datagrams.expire(Micros(LIFE - 1));
        assert_eq!(flows(&datagrams), [1, 2]);
        datagrams.expire(Micros(LIFE));
        assert_eq!(flows(&datagrams), [2]);
    }
}
