//! Measures the table, finds the programs' names and asks what went around, while somebody looks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};

use super::Table;
use crate::{
    api::Event,
    hub::{Hub, Topic},
    meters::Meters,
    sys::apps,
};

/// Five a second: numbers that change faster cannot be read.
const PERIOD: Duration = Duration::from_millis(200);

/// A question to the helper each time, and it to the kernel: 0.2 ms.
const BETWEEN_LEAKS: Duration = Duration::from_secs(3);

/// Between two scans of /proc: one costs up to 100 ms on a full desktop.
const BETWEEN_SCANS: Duration = Duration::from_millis(100);

/// The task behind the live table.
pub struct Feed {
    pub table: Arc<Table>,
    pub hub: Arc<Hub>,
    pub meters: Arc<Meters>,
    /// Told when the first one begins to look.
    pub watched: watch::Receiver<()>,
}

impl Feed {
    /// Returns when the engine has ended.
    pub async fn run(mut self) {
        loop {
            while !self.hub.anybody_watches(Topic::Connections) {
                if self.watched.changed().await.is_err() {
                    return;
                }
            }
            let looking = async { tokio::join!(self.measure(), self.name()) };
            tokio::select! { _ = looking => {}, () = self.meter() => {} }
        }
    }

    /// Until nobody looks.
    async fn measure(&self) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.hub.anybody_watches(Topic::Connections) {
            period.tick().await;
            let delta = self.table.delta(Instant::now());
            let snapshot = || Event::Connections { delta: self.table.snapshot() };
            self.hub.send_live(Topic::Connections, &Event::Connections { delta }, snapshot);
        }
        self.table.unwatch();
    }

    /// Never returns.
    async fn meter(&self) {
        loop {
            for profile in self.meters.all() {
                let leaks = self.meters.read(&profile).await;
                self.hub.send_to_watchers(&Event::Leaks { profile, leaks });
            }
            sleep(BETWEEN_LEAKS).await;
        }
    }

    async fn name(&self) {
        while self.hub.anybody_watches(Topic::Connections) {
            let asked = self.table.nameless();
            if asked.is_empty() {
                tokio::select! { () = self.table.news.notified() => {}, () = sleep(PERIOD) => {} }
                continue;
            }
            let scan = tokio::task::spawn_blocking(move || (apps::holders(&asked), asked));
            if let Ok((found, asked)) = scan.await {
                self.table.name(&asked, &found);
            }
            sleep(BETWEEN_SCANS).await;
        }
    }
}
