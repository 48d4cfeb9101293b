//! One direction of a link: a first-in-first-out queue before the bottleneck, then the way to the other end. Time is
//! an argument, counted from the moment at which the schedule began.

use std::{collections::VecDeque, time::Duration};

use super::Spec;

/// Packets between the two ends.
#[derive(Debug, Default)]
pub struct Queue {
    /// When each has left the bottleneck, and its length; for those that have not.
    waiting: VecDeque<(Duration, u64)>,
    waiting_bytes: u64,
    /// When each arrives.
    travelling: VecDeque<(Duration, Vec<u8>)>,
    /// When the bottleneck has sent all that it has.
    busy_until: Duration,
}

impl Queue {
    /// A packet enters. Returned if there is no room for it: it is lost.
    pub fn offer(&mut self, now: Duration, packet: Vec<u8>, spec: &Spec) -> Result<(), Vec<u8>> {
        self.forget_departed(now);
        let bytes = packet.len() as u64;
        if self.waiting_bytes + bytes > spec.queue_bytes {
            return Err(packet);
        }
        let begins = self.busy_until.max(now);
        let departs = begins + Duration::from_secs_f64(bytes as f64 * 8.0 / spec.rate.at(begins));
        self.busy_until = departs;
        self.waiting.push_back((departs, bytes));
        self.waiting_bytes += bytes;
        self.travelling.push_back((departs + spec.delay, packet));
        Ok(())
    }

    /// The next packet that has arrived, if one has.
    pub fn arrived(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.travelling.pop_front_if(|(due, _)| *due <= now).map(|(_, packet)| packet)
    }

    /// When the next one arrives.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.travelling.front().map(|(due, _)| *due)
    }

    /// Time begins again: `now` becomes zero.
    pub fn rebase(&mut self, now: Duration) {
        self.busy_until = self.busy_until.saturating_sub(now);
        for (departs, _) in &mut self.waiting {
            *departs = departs.saturating_sub(now);
        }
        for (due, _) in &mut self.travelling {
            *due = due.saturating_sub(now);
        }
    }

    fn forget_departed(&mut self, now: Duration) {
        while let Some((_, bytes)) = self.waiting.pop_front_if(|(departs, _)| *departs <= now) {
            self.waiting_bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Schedule;

    const MS: Duration = Duration::from_millis(1);

    fn link(rate: &str, delay: u32) -> Spec {
        Spec::new(rate.parse().expect("a schedule"), delay * MS)
    }

    #[test]
    fn a_packet_takes_its_own_length_and_the_delay() {
        let (spec, mut queue) = (link("1", 20), Queue::default());
        queue.offer(Duration::ZERO, vec![0; 1000], &spec).expect("there is room");
        queue.offer(Duration::ZERO, vec![0; 1000], &spec).expect("there is room");
        assert_eq!(queue.next_arrival(), Some(28 * MS));
        assert!(queue.arrived(27 * MS).is_none());
        assert!(queue.arrived(28 * MS).is_some());
        assert_eq!(queue.next_arrival(), Some(36 * MS));
    }

    #[test]
    fn what_does_not_fit_is_lost_and_room_comes_back_with_time() {
        let spec = Spec { queue_bytes: 2500, ..Spec::new(Schedule::constant(1.0), Duration::ZERO) };
        let mut queue = Queue::default();
        let mut fits = |at| queue.offer(at, vec![0; 1000], &spec).is_ok();
        assert_eq!([fits(Duration::ZERO), fits(Duration::ZERO), fits(Duration::ZERO)], [true, true, false]);
        assert_eq!([fits(8 * MS), fits(8 * MS)], [true, false]);
    }

    #[test]
    fn a_step_counts_for_packets_that_already_wait() {
        let (spec, mut queue) = (link("8,1@0.001", 0), Queue::default());
        queue.offer(Duration::ZERO, vec![0; 1000], &spec).expect("there is room");
        queue.offer(Duration::ZERO, vec![0; 1000], &spec).expect("there is room");
        assert_eq!(queue.next_arrival(), Some(MS));
        assert!(queue.arrived(MS).is_some());
        assert_eq!(queue.next_arrival(), Some(9 * MS));
    }
}
