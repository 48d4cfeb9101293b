//! When what was written, and what the peer had said by then.

use std::collections::VecDeque;

use crate::Micros;

/// Marks in the ring. 2 MiB in frames of 16 KiB are 128, in frames of 1 KiB (slow links, with less in flight) also; beyond
/// it the newest mark stands for several frames and the measured round trip errs to the long side.
const MARKS: usize = 1024;

/// Frames written in the same moment share a mark up to this, so that a thousand small ones do not use up the ring.
const SHARED: u64 = 1 << 10;

/// The bytes up to `end` were written then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) end: u64,
    pub(crate) written: Micros,
    /// What was acknowledged when they were written, and when the peer had read that, by its clock. `None` when the
    /// news was from before a pause: the time in between says nothing about the link.
    pub(crate) before: Option<(u64, Micros)>,
}

#[derive(Debug, Default)]
pub(crate) struct Marks {
    ring: VecDeque<Mark>,
}

impl Marks {
    /// Everything up to `mark.end` that has no mark yet.
    pub(crate) fn push(&mut self, mark: Mark) {
        let full = self.ring.len() == MARKS;
        let start = self.ring.iter().nth_back(1).map(|before| before.end);
        match self.ring.back_mut() {
            Some(last) if full => last.end = mark.end,
            Some(last)
                if last.written == mark.written && start.is_some_and(|start| mark.end - start <= SHARED) =>
            {
                last.end = mark.end;
            }
            _ => self.ring.push_back(mark),
        }
    }

    /// The newest mark that is wholly covered by `received`; it and the older ones are gone.
    pub(crate) fn take(&mut self, received: u64) -> Option<Mark> {
        let mut newest = None;
        while let Some(mark) = self.ring.pop_front_if(|mark| mark.end <= received) {
            newest = Some(mark);
        }
        newest
    }

    /// News from before now says nothing any more.
    pub(crate) fn forget_news(&mut self) {
        self.ring.iter_mut().for_each(|mark| mark.before = None);
    }

    pub(crate) fn oldest(&self) -> Option<Micros> {
        self.ring.front().map(|mark| mark.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(end: u64, written: u64) -> Mark {
        Mark { end, written: Micros(written), before: None }
    }

    #[test]
    fn an_acknowledgement_takes_the_newest_that_it_covers() {
        let mut marks = Marks::default();
        for end in [100, 200, 300] {
            marks.push(mark(end, end * 10));
        }
        assert_eq!(marks.take(250).map(|mark| mark.written), Some(Micros(2_000)));
        assert_eq!(marks.oldest(), Some(Micros(3_000)));
        assert!(marks.take(299).is_none());
    }

    #[test]
    fn marks_are_bounded_and_still_cover_everything() {
        let mut marks = Marks::default();
        for step in 1..=5_000 {
            marks.push(mark(step * 10, step));
        }
        assert_eq!(marks.ring.len(), MARKS);
        assert!(marks.take(50_000).is_some());
        assert_eq!(marks.oldest(), None);
    }

    #[test]
    fn small_frames_of_one_moment_share_a_mark() {
        let mut marks = Marks::default();
        for step in 1..=1_000 {
            marks.push(mark(step * 64, 5));
        }
        assert!(marks.ring.len() <= 64, "{}", marks.ring.len());
        assert!(marks.take(1_000 * 64).is_some() && marks.oldest().is_none());
    }
}
