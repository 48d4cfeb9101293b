//! How much went around each tunnel since it was switched on. The helper counts for one session of one helper; here it
//! is added up over attempts, and over helpers that died.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ropeway_helper_api::{self as helper, SessionId};

use crate::{
    api::{LeakCount, Leaks, ProfileId},
    helper::Helper,
    words,
};

/// Of all tunnels of an engine.
pub struct Meters {
    helper: Arc<Helper>,
    tallies: Mutex<BTreeMap<ProfileId, Tally>>,
}

#[derive(Clone, Copy)]
struct Tally {
    session: SessionId,
    /// Of what the helper counts no more.
    before: helper::Leaks,
    now: helper::Leaks,
}

impl Meters {
    pub fn new(helper: Arc<Helper>) -> Self {
        Self { helper, tallies: Mutex::default() }
    }

    /// The tunnel is switched on: from nothing.
    pub fn begin(&self, profile: &ProfileId, session: SessionId) {
        let tally = Tally { session, before: helper::Leaks::default(), now: helper::Leaks::default() };
        self.tallies().insert(profile.clone(), tally);
    }

    /// The rules are gone; whoever loads them again counts from nothing.
    pub fn restart(&self, profile: &ProfileId) {
        if let Some(tally) = self.tallies().get_mut(profile) {
            tally.before += std::mem::take(&mut tally.now);
        }
    }

    /// Asks the helper, where it has the session's rules. Call it before they go.
    pub async fn read(&self, profile: &ProfileId) -> Leaks {
        let session = self.tallies().get(profile).map(|tally| tally.session);
        let now = match session {
            Some(session) => self.helper.meter(session).await,
            None => None,
        };
        let mut tallies = self.tallies();
        let Some(tally) = tallies.get_mut(profile) else { return Leaks::default() };
        tally.now = now.unwrap_or(tally.now);
        let mut total = tally.before;
        total += tally.now;
        told(&total)
    }

    /// Those that were ever switched on.
    pub fn all(&self) -> Vec<ProfileId> {
        self.tallies().keys().cloned().collect()
    }

    fn tallies(&self) -> MutexGuard<'_, BTreeMap<ProfileId, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(total: &helper::Leaks) -> Leaks {
    let count = |count: helper::Count| LeakCount { packets: count.packets, bytes: count.bytes };
    let mut leaks = Leaks {
        udp: count(total.udp),
        tcp: count(total.tcp),
        icmp: count(total.icmp),
        other: count(total.other),
        sentence: String::new(),
    };
    leaks.sentence = words::leaks(&leaks).unwrap_or_default();
    leaks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No helper is here to be asked.
    #[tokio::test]
    async fn what_was_counted_stays_while_rules_come_and_go() {
        let meters = Meters::new(Arc::new(Helper::new("no-helper".into())));
        let work = ProfileId("work".into());
        assert_eq!(meters.read(&work).await, Leaks::default());
        meters.begin(&work, SessionId(1));
        let counted = |packets| {
            let udp = helper::Count { packets, bytes: 30 * packets };
            meters.tallies().get_mut(&work).unwrap().now.udp = udp;
        };
        counted(3);
        assert_eq!(meters.read(&work).await.udp, LeakCount { packets: 3, bytes: 90 });
        meters.restart(&work);
        counted(4);
        meters.restart(&work);
        meters.restart(&work);
        assert_eq!(meters.read(&work).await.udp.packets, 7);
        assert!(meters.read(&work).await.sentence.starts_with("7 packets"));
        meters.begin(&work, SessionId(1));
        assert_eq!(meters.read(&work).await, Leaks::default());
    }
}
