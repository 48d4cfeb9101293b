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
    /// When that last changed.
    since: Instant,
    over: bool,
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

    /// Waits no longer than `limit` for the idle moment.
    pub fn is_idle_within(&self, limit: Duration) -> bool {
        let condvar = &self.0.changed;
        let waited = condvar.wait_timeout_while(self.0.lock(), limit, |now| now.busy > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// From now on nobody waits for an idle moment: a newer helper waits for our end.
    pub fn end(&self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }

    /// Blocks until nothing was going on for `time`, counted from now at the earliest, or until [`Activity::end`].
    pub fn wait_idle(&self, time: Duration) {
        let mut now = self.0.lock();
        now.since = Instant::now();
        loop {
            let left = time.saturating_sub(now.since.elapsed());
            let condvar = &self.0.changed;
            now = match now.busy {
                _ if now.over => return,
                0 if left.is_zero() => return,
                0 => condvar.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0,
                _ => condvar.wait(now).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut now = self.lock();
        *now = Now { busy: change(now.busy), since: Instant::now(), ..*now };
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Now {
    fn default() -> Self {
        Self { busy: 0, since: Instant::now(), over: false }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|busy| busy - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    /// Waits for the idle moment on another thread.
    fn waiter(activity: &Activity, time: Duration) -> mpsc::Receiver<()> {
        let (sender, idle) = mpsc::channel();
        let activity = activity.clone();
        thread::spawn(move || {
            activity.wait_idle(time);
            sender.send(()).unwrap();
        });
        idle
    }

    #[test]
    fn busy_is_never_idle() {
        let activity = Activity::default();
        let (first, second) = (activity.begin(), activity.begin());
        let idle = waiter(&activity, Duration::ZERO);
        drop(first);
        idle.recv_timeout(Duration::from_millis(50)).unwrap_err();
        assert!(!activity.is_idle());
        drop(second);
        idle.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(activity.is_idle());
    }

    #[test]
    fn an_end_waits_for_nobody() {
        let activity = Activity::default();
        let _busy = activity.begin();
        let idle = waiter(&activity, LONG);
        activity.end();
        idle.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
