//! What goes through now, for those who need it: the rules follow it, and connections are named by it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::Effective;
use crate::routes::Rules;

/// The helper replaces rules in tens of milliseconds; who waits for it longer goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

/// One state of it.
#[derive(Debug)]
pub struct Version {
    /// Counted up.
    pub number: u64,
    pub effective: Effective,
    pub rules: Rules,
}

/// The newest, and which one the kernel has.
#[derive(Debug)]
pub struct Current {
    newest: watch::Sender<Arc<Version>>,
    in_force: watch::Sender<u64>,
}

impl Current {
    pub fn new(effective: Effective) -> Self {
        Self { newest: watch::channel(Arc::new(Version::new(1, effective))).0, in_force: watch::channel(0).0 }
    }

    /// From now on this; its number.
    pub fn set(&self, effective: Effective) -> u64 {
        let number = self.newest.borrow().number + 1;
        self.newest.send_replace(Arc::new(Version::new(number, effective)));
        number
    }

    pub fn newest(&self) -> Arc<Version> {
        self.newest.borrow().clone()
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<Version>> {
        self.newest.subscribe()
    }

    /// The kernel has this one.
    pub fn loaded(&self, number: u64) {
        self.in_force.send_replace(number);
    }

    /// Until the kernel has that one or a newer one.
    pub async fn wait_for(&self, number: u64) {
        let _ = timeout(PATIENCE, self.in_force.subscribe().wait_for(|loaded| *loaded >= number)).await;
    }
}

impl Version {
    fn new(number: u64, effective: Effective) -> Self {
        let rules = Rules::of(&effective.include());
        Self { number, effective, rules }
    }
}
