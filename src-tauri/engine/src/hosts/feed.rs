//! Tells what changed in the table while somebody looks.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::Table;
use crate::{
    api::Event,
    hub::{Hub, Topic},
};

/// Two a second: names come slower than that, and a whole list of them in one.
const PERIOD: Duration = Duration::from_millis(500);

/// The task behind the list of names.
pub struct Feed {
    pub table: Arc<Table>,
    pub hub: Arc<Hub>,
    /// Told when somebody begins to look.
    pub watched: watch::Receiver<()>,
}

impl Feed {
    /// Returns when the engine has ended.
    pub async fn run(mut self) {
        loop {
            while !self.hub.anybody_watches(Topic::Hosts) {
                if self.watched.changed().await.is_err() {
                    return;
                }
            }
            self.tell().await;
        }
    }

    /// Until nobody looks.
    async fn tell(&self) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.hub.anybody_watches(Topic::Hosts) {
            period.tick().await;
            if let Some(delta) = self.table.delta() {
                let snapshot = || Event::Hosts { delta: self.table.snapshot() };
                self.hub.send_live(Topic::Hosts, &Event::Hosts { delta }, snapshot);
            }
        }
        self.table.unwatch();
    }
}
