//! All connections of this engine, and what changed since the last look.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::row::{Row, Shared};
use crate::{
    api::{ConnectionRow, ConnectionState, ConnectionsDelta, ProfileId, Totals},
    sys::apps::App,
};

/// Closed connections that are kept to look at: some minutes of a busy browser, 200 kB of memory.
const CLOSED_KEPT: usize = 1000;

/// Two looks that are closer together measure nothing but noise.
const LEAST: Duration = Duration::from_millis(50);

/// Weight of the newest measurement in a rate, at five a second: what happened a second ago counts a tenth.
const NEWEST: f64 = 0.4;

/// The table; relays hold [`Row`]s of it.
#[derive(Debug, Default)]
pub struct Table {
    inner: Mutex<Inner>,
    /// A connection was opened: its program may be gone in a moment.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    rows: BTreeMap<u64, Entry>,
    closed: VecDeque<u64>,
    /// Not told yet; kept only while somebody looks.
    gone: Vec<u64>,
    watched: bool,
    sums: HashMap<ProfileId, Sums>,
    measured: Option<Instant>,
}

/// A connection that begins.
pub struct Opened {
    pub profile: ProfileId,
    pub target: SocketAddr,
    pub rule: String,
    /// Inode of the program's socket, 0 when it is not known.
    pub inode: u32,
    pub user: Option<String>,
    pub state: ConnectionState,
}

#[derive(Debug)]
struct Entry {
    row: ConnectionRow,
    shared: Arc<Shared>,
    inode: u32,
    rates: Rates,
    /// Not told yet.
    fresh: bool,
}

#[derive(Debug, Default)]
struct Rates {
    up: f64,
    down: f64,
}

/// Bytes of connections that are no longer in the table, and how many ended.
#[derive(Debug, Default)]
struct Sums {
    up: u64,
    down: u64,
    closed: u32,
}

impl Table {
    pub fn open(self: &Arc<Self>, opened: Opened, now: u64) -> Row {
        let mut inner = self.inner();
        inner.next += 1;
        let id = inner.next;
        let shared = Arc::new(Shared::new(opened.state));
        let entry = Entry::new(id, opened, shared.clone(), now);
        inner.rows.insert(id, entry);
        drop(inner);
        self.news.notify_one();
        Row { table: self.clone(), id, shared }
    }

    /// Whether there was such a connection to close.
    pub fn close(&self, id: u64) -> bool {
        let inner = self.inner();
        let Some(entry) = inner.rows.get(&id) else { return false };
        entry.shared.close.notify_one();
        true
    }

    /// The sums of a profile begin at nothing: it connects anew.
    pub fn begin(&self, profile: &ProfileId) {
        self.inner().sums.insert(profile.clone(), Sums::default());
    }

    /// Everything, for one who begins to look.
    pub fn snapshot(&self) -> ConnectionsDelta {
        let inner = self.inner();
        let changed = inner.rows.values().map(Entry::current).collect();
        ConnectionsDelta { snapshot: true, changed, gone: vec![], totals: inner.totals() }
    }

    /// Nobody looks any more: what ends is not remembered until somebody does.
    pub fn unwatch(&self) {
        let mut inner = self.inner();
        inner.watched = false;
        inner.gone = vec![];
    }

    /// What changed since the last call. Rates are measured between the calls.
    pub fn delta(&self, now: Instant) -> ConnectionsDelta {
        let mut inner = self.inner();
        let since =
            inner.measured.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let seconds = since.max(LEAST).as_secs_f64();
        inner.watched = true;
        let changed = inner.rows.values_mut().filter_map(|entry| entry.measure(seconds)).collect();
        let gone = std::mem::take(&mut inner.gone);
        ConnectionsDelta { snapshot: false, changed, gone, totals: inner.totals() }
    }

    /// Sockets whose program is not known yet.
    pub fn nameless(&self) -> HashSet<u32> {
        self.inner().rows.values().map(|entry| entry.inode).filter(|inode| *inode != 0).collect()
    }

    /// Names the programs of these sockets; the others are not asked for again.
    pub fn name(&self, asked: &HashSet<u32>, apps: &HashMap<u32, App>) {
        for entry in self.inner().rows.values_mut().filter(|entry| asked.contains(&entry.inode)) {
            if let Some(app) = apps.get(&entry.inode) {
                entry.row.app = Some(app.name.clone());
                entry.row.pid = Some(app.pid);
                entry.fresh = true;
            }
            entry.inode = 0;
        }
    }

    pub(super) fn closed(&self, id: u64) {
        let mut inner = self.inner();
        inner.closed.push_back(id);
        if let Some(profile) = inner.rows.get(&id).map(|entry| entry.row.profile.clone()) {
            inner.sums.entry(profile).or_default().closed += 1;
        }
        if inner.closed.len() > CLOSED_KEPT
            && let Some(oldest) = inner.closed.pop_front()
        {
            inner.forget(oldest);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, id: u64) {
        let Some(entry) = self.rows.remove(&id) else { return };
        let row = entry.current();
        let sums = self.sums.entry(row.profile).or_default();
        sums.up += row.up;
        sums.down += row.down;
        if self.watched {
            self.gone.push(id);
        }
    }

    fn totals(&self) -> Vec<Totals> {
        let mut totals: BTreeMap<&ProfileId, Totals> = BTreeMap::new();
        for (profile, sums) in &self.sums {
            totals.insert(profile, Totals::begin(profile, sums));
        }
        for entry in self.rows.values() {
            if let Some(total) = totals.get_mut(&entry.row.profile) {
                total.add(&entry.current());
            }
        }
        totals.into_values().collect()
    }
}

impl Totals {
    fn begin(profile: &ProfileId, sums: &Sums) -> Self {
        let profile = profile.clone();
        Self {
            profile,
            up: sums.up,
            down: sums.down,
            up_rate: 0,
            down_rate: 0,
            active: 0,
            closed: sums.closed,
        }
    }

    fn add(&mut self, row: &ConnectionRow) {
        self.up += row.up;
        self.down += row.down;
        self.up_rate += row.up_rate;
        self.down_rate += row.down_rate;
        self.active += u32::from(row.closed.is_none());
    }
}

impl Entry {
    fn new(id: u64, opened: Opened, shared: Arc<Shared>, now: u64) -> Self {
        let row = ConnectionRow {
            id,
            profile: opened.profile,
            app: None,
            pid: None,
            user: opened.user,
            address: opened.target.ip().to_canonical().to_string(),
            port: opened.target.port(),
            host: None,
            rule: opened.rule,
            up: 0,
            down: 0,
            up_rate: 0,
            down_rate: 0,
            opened: now,
            closed: None,
            state: opened.state,
        };
        Self { row, shared, inode: opened.inode, rates: Rates::default(), fresh: true }
    }

    fn current(&self) -> ConnectionRow {
        let (state, closed) = self.shared.state();
        let (up, down) = (self.shared.up.load(Relaxed), self.shared.down.load(Relaxed));
        ConnectionRow { up, down, closed, state, ..self.row.clone() }
    }

    /// Brings the row up to date; Some when that changed it.
    fn measure(&mut self, seconds: f64) -> Option<ConnectionRow> {
        if self.row.closed.is_some() && !self.fresh {
            return None;
        }
        let mut row = self.current();
        self.rates
            .follow((row.up - self.row.up) as f64 / seconds, (row.down - self.row.down) as f64 / seconds);
        (row.up_rate, row.down_rate) = self.rates.shown(row.closed.is_some());
        if row == self.row && !self.fresh {
            return None;
        }
        self.fresh = false;
        self.row = row.clone();
        Some(row)
    }
}

impl Rates {
    fn follow(&mut self, up: f64, down: f64) {
        self.up += (up - self.up) * NEWEST;
        self.down += (down - self.down) * NEWEST;
    }

    /// Whole bytes per second; the tail of the average below one a second is nothing.
    fn shown(&self, closed: bool) -> (u64, u64) {
        if closed { (0, 0) } else { (self.up as u64, self.down as u64) }
    }
}

#[cfg(test)]
mod tests;
