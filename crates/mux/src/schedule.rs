//! Whose turn it is to send.
//!
//! Time is cut into rounds. In each, a flow may send one quantum: a frame, whose size follows the link. A flow that begins to send with some of its quantum
//! left is *fresh* and goes before the others: keystrokes, requests, new connections. A flow that has used its quantum
//! waits in `next` for the round to end, also if it ran empty in between, which bulk does after every frame because its
//! owner refills it only then. So this is the deficit round robin with a list for new flows of `fq_codel` (RFC 8290),
//! except that a flow's past is told by the round it last sent in and not by whether it is still in a list.
//!
//! A flow that has nothing to send is in no list and costs nothing.

use std::collections::VecDeque;

use crate::{flight::Class, frame::MAX_DATA, stream::MAX_STREAMS};

/// What a flow may send in one round, at least: a keystroke's echo and a request or two.
const SMALLEST_QUANTUM: u32 = 4 << 10;

/// Most entries: every stream that may live, and as many that were reset while they waited for their turn.
const MAX_LISTED: usize = 2 * MAX_STREAMS;

/// A flow: a stream by its id, or the datagrams.
pub(crate) type Key = u32;

/// The flows that have something to send.
#[derive(Debug)]
pub(crate) struct Schedule {
    fresh: VecDeque<Key>,
    current: VecDeque<Key>,
    next: VecDeque<Key>,
    round: u32,
    quantum: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        let lists = [const { VecDeque::new() }; 3];
        let [fresh, current, next] = lists;
        Self { fresh, current, next, round: 0, quantum: MAX_DATA as u32 }
    }
}

/// What the schedule knows about one flow; kept by its owner.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    round: u32,
    used: u32,
    listed: bool,
}

impl Schedule {
    /// A frame has so many bytes now.
    pub(crate) fn set_quantum(&mut self, frame: usize) {
        self.quantum = (frame as u32).max(SMALLEST_QUANTUM);
    }

    /// The flow has something to send.
    pub(crate) fn activate(&mut self, key: Key, turn: &mut Turn) {
        if turn.listed {
            return;
        }
        turn.listed = true;
        turn.enter(self.round, self.quantum);
        let list = if turn.used < self.quantum { &mut self.fresh } else { &mut self.next };
        list.push_back(key);
    }

    /// The flow to send next and how urgent it is. After it sent, or could not, [`Self::settle`] or [`Self::forget`] it.
    pub(crate) fn head(&mut self) -> Option<(Key, Class)> {
        if let Some(&key) = self.fresh.front() {
            return Some((key, Class::Sparse));
        }
        if self.current.is_empty() && !self.next.is_empty() {
            std::mem::swap(&mut self.current, &mut self.next);
            self.round = self.round.wrapping_add(1);
        }
        self.current.front().map(|&key| (key, Class::Bulk))
    }

    /// Whether the head owes more than this round gives it; then it has been put off.
    pub(crate) fn put_off(&mut self, turn: &mut Turn) -> bool {
        turn.enter(self.round, self.quantum);
        let owes = turn.used >= self.quantum;
        if owes {
            let key = self.pop_head();
            self.next.extend(key);
        }
        owes
    }

    /// The head sent `bytes` and has `more`.
    pub(crate) fn settle(&mut self, turn: &mut Turn, bytes: usize, more: bool) {
        turn.enter(self.round, self.quantum);
        turn.used = turn.used.saturating_add(bytes as u32);
        if more && turn.used < self.quantum {
            return;
        }
        turn.listed = more;
        let key = self.pop_head();
        self.next.extend(key.filter(|_| more));
    }

    /// The head is gone.
    pub(crate) fn forget_head(&mut self) {
        self.pop_head();
    }

    /// Whether nobody has anything to send.
    pub(crate) fn is_idle(&self) -> bool {
        self.fresh.is_empty() && self.current.is_empty() && self.next.is_empty()
    }

    /// Whether no further flow should come, because very many that are gone have not been noticed yet.
    pub(crate) fn is_full(&self) -> bool {
        self.fresh.len() + self.current.len() + self.next.len() >= MAX_LISTED
    }

    fn pop_head(&mut self) -> Option<Key> {
        self.fresh.pop_front().or_else(|| self.current.pop_front())
    }
}

impl Turn {
    /// Each round that passed pays for one quantum.
    fn enter(&mut self, round: u32, quantum: u32) {
        let passed = round.wrapping_sub(self.round);
        self.used = self.used.saturating_sub(passed.saturating_mul(quantum));
        self.round = round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = MAX_DATA;

    /// Flows with an endless supply in frames of their own size, refilled either at once or after running empty.
    struct Bench {
        schedule: Schedule,
        turns: Vec<Turn>,
    }

    impl Bench {
        fn new(flows: u32) -> Self {
            let mut bench = Self { schedule: Schedule::default(), turns: Vec::new() };
            for key in 0..flows {
                bench.turns.push(Turn::default());
                bench.activate(key);
            }
            bench
        }

        fn activate(&mut self, key: Key) {
            self.schedule.activate(key, &mut self.turns[key as usize]);
        }

        fn send(&mut self, bytes: impl Fn(Key) -> usize, more: bool) -> (Key, usize) {
            let key = loop {
                let (key, _) = self.schedule.head().expect("somebody is active");
                if !self.schedule.put_off(&mut self.turns[key as usize]) {
                    break key;
                }
            };
            let bytes = bytes(key);
            self.schedule.settle(&mut self.turns[key as usize], bytes, more);
            if !more {
                self.activate(key);
            }
            (key, bytes)
        }
    }

    fn shares(frame: impl Fn(Key) -> usize + Copy, more: bool) -> Vec<usize> {
        let mut bench = Bench::new(3);
        let mut sent = vec![0; 3];
        for _ in 0..10_000 {
            let (key, bytes) = bench.send(frame, more);
            sent[key as usize] += bytes;
        }
        sent
    }

    #[test]
    fn bulk_flows_share_by_bytes_whatever_their_frames() {
        for more in [true, false] {
            let sent = shares(|key| [FRAME, 1500, 100][key as usize], more);
            let most = sent.iter().max().expect("three");
            assert!(sent.iter().all(|bytes| most - bytes <= 2 * FRAME), "{sent:?}, refilled at once: {more}");
        }
    }

    #[test]
    fn a_flow_that_overdraws_pays_in_later_rounds() {
        let sent = shares(|key| if key == 0 { 4 * FRAME } else { FRAME }, true);
        assert!(sent[0].abs_diff(sent[1]) <= 5 * FRAME, "{sent:?}");
    }

    #[test]
    fn a_sparse_flow_goes_next_though_bulk_runs_empty_after_every_frame() {
        let mut bench = Bench::new(50);
        bench.turns.push(Turn::default());
        for _ in 0..200 {
            bench.send(|_| FRAME, false);
        }
        for _ in 0..100 {
            bench.activate(50);
            assert_eq!(bench.schedule.head(), Some((50, Class::Sparse)));
            bench.schedule.settle(&mut bench.turns[50], 40, false);
            for _ in 0..10 {
                assert_ne!(bench.send(|_| FRAME, false).0, 50);
            }
        }
    }

    #[test]
    fn a_flow_that_sends_much_in_small_pieces_does_not_stay_ahead() {
        let mut bench = Bench::new(2);
        let sent = (0..4000).map(|_| bench.send(|key| if key == 0 { 64 } else { FRAME }, false));
        assert!(sent.filter(|(key, _)| *key == 1).count() >= 3, "one frame for each frame of pieces");
    }
}
