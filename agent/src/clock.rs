//! The one place that reads the time.

use std::time::{Duration, Instant};

use ropeway_mux::Micros;

/// Microseconds since the agent started.
pub struct Clock {
    origin: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub fn now(&self) -> Micros {
        Micros(self.origin.elapsed().as_micros() as u64)
    }

    /// How long until `deadline`; zero when it has passed.
    pub fn until(&self, deadline: Micros) -> Duration {
        Duration::from_micros(deadline.0.saturating_sub(self.now().0))
    }
}
