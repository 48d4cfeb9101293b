//! What keeps the service alive: connections and calls. When there is none for a while, it may end.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Cloned into everybody who begins something.
#[derive(Clone, Default)]
pub struct Activity(Arc<Shared>);

#[derive(Default)]
struct Shared {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    busy: usize,
    /// When it last changed.
    since: Instant,
}

/// Something is going on as long as this lives.
pub struct Busy(Arc<Shared>);

impl Activity {
    pub fn begin(&self) -> Busy {
        self.0.change(|busy| busy + 1);
        Busy(Arc::clone(&self.0))
    }

    pub fn is_idle(&self) -> bool {
        self.0.lock().busy == 0
    }

    /// Blocks until nothing was going on for `time`, counted from now at the earliest.
    pub fn wait_idle(&self, time: Duration) {
        let mut now = self.0.lock();
        now.since = Instant::now();
        loop {
            let idle = now.since.elapsed();
            let condvar = &self.0.changed;
            now = match now.busy {
                0 if idle >= time => return,
                0 => condvar.wait_timeout(now, time - idle).unwrap_or_else(PoisonError::into_inner).0,
                _ => condvar.wait(now).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut now = self.lock();
        *now = Now { busy: change(now.busy), since: Instant::now() };
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Now {
    fn default() -> Self {
        Self { busy: 0, since: Instant::now() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|busy| busy - 1);
    }
}
