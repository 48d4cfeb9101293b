//! What a link is like, and how that is written: `50,10@10,50@20` Mbit/s, one-way delay, length of the queue.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, Result, ensure};

/// How long a full queue takes to empty; what home routers and mobile networks have, a few times the usual delay.
const QUEUE: Duration = Duration::from_millis(200);

/// Bytes that fit into any queue: a few whole packets, so that a very slow link still carries something.
const LEAST_QUEUE: u64 = 4 * 1_500;

/// A link, the same in both directions.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// How fast it is, and when.
    pub rate: Schedule,
    /// From one end to the other, without what the queue adds.
    pub delay: Duration,
    /// What waits at most; a packet that would exceed it is lost.
    pub queue_bytes: u64,
}

impl Spec {
    /// With a queue of 200 ms at the rate it begins with.
    pub fn new(rate: Schedule, delay: Duration) -> Self {
        let queue = rate.at(Duration::ZERO) / 8.0 * QUEUE.as_secs_f64();
        Self { rate, delay, queue_bytes: LEAST_QUEUE.max(queue as u64) }
    }
}

/// Rates in bits per second, each from its moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(Vec<(Duration, f64)>);

impl Schedule {
    /// One rate for ever, in Mbit/s.
    pub fn constant(mbits: f64) -> Self {
        Self(vec![(Duration::ZERO, mbits * 1e6)])
    }

    /// The rate, in bits per second, that long after the beginning.
    pub fn at(&self, since: Duration) -> f64 {
        let begun = self.0.partition_point(|(from, _)| *from <= since);
        self.0[begun.saturating_sub(1)].1
    }
}

impl FromStr for Schedule {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let step = |part: &str| -> Result<(Duration, f64)> {
            let (rate, from) = part.split_once('@').unwrap_or((part, "0"));
            let rate: f64 = rate.parse().with_context(|| format!("{rate:?} is no rate in Mbit/s"))?;
            let from: f64 = from.parse().with_context(|| format!("{from:?} are no seconds"))?;
            ensure!(rate > 0.0 && from >= 0.0, "{part:?}: a rate is above zero, a moment not below");
            Ok((Duration::try_from_secs_f64(from)?, rate * 1e6))
        };
        let steps = text.split(',').map(step).collect::<Result<Vec<_>>>()?;
        ensure!(steps[0].0.is_zero(), "{text:?} does not say the rate at the beginning");
        ensure!(steps.is_sorted_by(|a, b| a.0 < b.0), "{text:?} is not in the order of time");
        Ok(Self(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        let schedule: Schedule = "50,10@10,50@20.5".parse().expect("it is well formed");
        let mbits = |seconds: f64| (schedule.at(Duration::from_secs_f64(seconds)) / 1e6) as u32;
        assert_eq!([0.0, 9.99, 10.0, 20.4, 99.0].map(mbits), [50, 50, 10, 10, 50]);
        for wrong in ["", "x", "0", "-1", "10@1", "10,20@5,30@4", "10,20@x"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_queue_holds_a_fifth_of_a_second() {
        let spec = Spec::new(Schedule::constant(50.0), Duration::from_millis(25));
        assert_eq!(spec.queue_bytes, 1_250_000);
        assert_eq!(Spec::new(Schedule::constant(0.01), Duration::ZERO).queue_bytes, 6_000);
    }
}
