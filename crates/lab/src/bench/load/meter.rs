//! How much has been moved so far, as seen by who receives it, read a few times a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::bulk::{Bulk, Way};
use crate::{
    Lab,
    bench::{stats, target::CounterReader},
};

/// Between two readings: a tenth of the shortest time within which a change is to be seen (half a second).
const PAUSE: Duration = Duration::from_millis(50);

/// Counts what arrives at the client, or at the target.
#[derive(Debug)]
pub struct Meter {
    received: Arc<AtomicU64>,
    target: CounterReader,
    way: Way,
    counter: u8,
}

/// The sum of bytes at moments.
#[derive(Debug, Default)]
pub struct Readings(pub Vec<(Instant, u64)>);

impl Meter {
    /// Of those streams.
    pub fn of(lab: &Lab, bulk: &Bulk, way: Way, counter: u8) -> Result<Self> {
        let target = lab.private().run(CounterReader::connect)??;
        Ok(Self { received: Arc::clone(&bulk.received), target, way, counter })
    }

    /// What has arrived so far.
    pub fn read(&self) -> Result<u64> {
        Ok(match self.way {
            Way::Down => self.received.load(Ordering::Relaxed),
            Way::Up => self.target.read(self.counter)?,
        })
    }

    /// Waits, and reads meanwhile.
    pub fn watch(&self, time: Duration) -> Result<Readings> {
        let end = Instant::now() + time;
        let mut readings = Readings::default();
        loop {
            readings.0.push((Instant::now(), self.read()?));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(readings);
            }
            thread::sleep(left.min(PAUSE));
        }
    }
}

impl Readings {
    /// Mbit/s from the first to the last.
    pub fn rate(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some((from, before)), Some((to, after))) => {
                stats::mbits(after - before, to.duration_since(*from).as_secs_f64())
            }
            _ => f64::NAN,
        }
    }

    /// Mbit/s over time: seconds since the moment, each with the mean of the `window` before it.
    pub fn rates(&self, since: Instant, window: Duration) -> Vec<(f64, f64)> {
        let point = |(index, (at, bytes)): (usize, &(Instant, u64))| {
            let (from, before) = self.0[..index].iter().rev().find(|(from, _)| *at - *from >= window)?;
            let rate = stats::mbits(bytes - before, (*at - *from).as_secs_f64());
            Some((at.saturating_duration_since(since).as_secs_f64(), rate))
        };
        self.0.iter().enumerate().filter_map(point).collect()
    }
}
