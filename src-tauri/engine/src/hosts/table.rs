//! All names that were found, by profile, and what became of each.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ropeway_agent_api::Source;
use ropeway_helper_api::{HostEntry, HostRefusal, RefusedHost, hosts::limit};
use tokio::sync::watch;

use crate::api::{HostRow, HostSource, HostState, HostsDelta, ProfileId};

/// Milliseconds after which a name is forgotten that nobody sees any more: four rounds of the agent.
const LIFE: u64 = 4 * 15 * 60 * 1000;

/// Shared by all tunnels of an engine.
#[derive(Debug, Default)]
pub struct Table {
    inner: Mutex<Inner>,
    /// The names of a profile are gone: others may have been waiting for them.
    freed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    rows: BTreeMap<u64, Entry>,
    index: HashMap<Key, u64>,
    /// How many names each profile has.
    counts: HashMap<ProfileId, usize>,
    /// Not told yet; kept only while somebody looks.
    gone: Vec<u64>,
    watched: bool,
}

/// Profile, name here, address.
type Key = (ProfileId, String, IpAddr);

#[derive(Debug)]
struct Entry {
    row: HostRow,
    address: IpAddr,
    /// Not told yet.
    fresh: bool,
}

/// What the agent found, as it is called here.
pub struct Sighting {
    pub name: String,
    pub found: String,
    pub address: IpAddr,
    pub source: Source,
}

impl Table {
    /// Whether that is a new name or address. A profile has as many as the helper takes.
    pub fn note(&self, profile: &ProfileId, it: Sighting, now: u64) -> bool {
        let mut inner = self.inner();
        let key = (profile.clone(), it.name, it.address);
        let source = source(it.source);
        if let Some(entry) = inner.index.get(&key).copied().and_then(|id| inner.rows.get_mut(&id)) {
            // what was found in a better place is likelier to be right, and may now be preferred
            let better = source < entry.row.source;
            if better {
                entry.row.source = source;
                entry.row.found = it.found;
            }
            entry.row.seen = now;
            entry.fresh = true;
            return better;
        }
        let count = inner.counts.entry(profile.clone()).or_default();
        if *count >= limit::ENTRIES {
            return false;
        }
        *count += 1;
        inner.next += 1;
        let id = inner.next;
        let row = HostRow {
            id,
            profile: profile.clone(),
            name: key.1.clone(),
            found: it.found,
            address: it.address.to_string(),
            source,
            seen: now,
            state: HostState::Waiting,
        };
        inner.rows.insert(id, Entry { row, address: it.address, fresh: true });
        inner.index.insert(key, id);
        true
    }

    /// Forgets what nobody has seen for long; whether there was any.
    pub fn expire(&self, profile: &ProfileId, now: u64) -> bool {
        self.inner().remove(|row| row.profile == *profile && now.saturating_sub(row.seen) > LIFE)
    }

    /// What the profile wants in the hosts file. Of several addresses the first is preferred: the one from the best place.
    pub fn entries(&self, profile: &ProfileId) -> Vec<HostEntry> {
        let inner = self.inner();
        let mut all: Vec<&Entry> = inner.of(profile).collect();
        all.sort_by_key(|entry| (entry.row.source, entry.row.id));
        let entry = |entry: &Entry| HostEntry { name: entry.row.name.clone(), address: entry.address };
        all.into_iter().map(entry).collect()
    }

    /// The helper took these, but for the refused ones. What was found since then waits.
    pub fn set(&self, profile: &ProfileId, entries: &[HostEntry], refused: &[RefusedHost]) {
        let refusals: HashMap<(&str, IpAddr), HostRefusal> =
            refused.iter().map(|host| ((&*host.name, host.address), host.why)).collect();
        let mut chosen = HashSet::new();
        let mut inner = self.inner();
        for HostEntry { name, address } in entries {
            let state = match refusals.get(&(&**name, *address)) {
                Some(why) => refused_because(*why),
                None if chosen.insert((name, address.is_ipv4())) => HostState::InForce,
                None => HostState::OtherAddress,
            };
            let id = inner.index.get(&(profile.clone(), name.clone(), *address)).copied();
            if let Some(entry) = id.and_then(|id| inner.rows.get_mut(&id)) {
                entry.turn(state);
            }
        }
    }

    /// None of the profile's names is in force.
    pub fn set_all(&self, profile: &ProfileId, state: HostState) {
        let mut inner = self.inner();
        inner.rows.values_mut().filter(|entry| entry.row.profile == *profile).for_each(|it| it.turn(state));
    }

    /// Whether it has names that another profile keeps it from having.
    pub fn waits_for_others(&self, profile: &ProfileId) -> bool {
        self.inner().of(profile).any(|entry| entry.row.state == HostState::OtherProfile)
    }

    /// The profile's tunnel is gone, and its names with it.
    pub fn forget(&self, profile: &ProfileId) {
        if self.inner().remove(|row| row.profile == *profile) {
            self.freed.send_replace(());
        }
    }

    /// Rings when a profile's names are gone.
    pub fn freed(&self) -> watch::Receiver<()> {
        self.freed.subscribe()
    }

    /// Everything, for one who begins to look.
    pub fn snapshot(&self) -> HostsDelta {
        let changed = self.inner().rows.values().map(|entry| entry.row.clone()).collect();
        HostsDelta { snapshot: true, changed, gone: vec![] }
    }

    /// What changed since the last call; None when nothing did.
    pub fn delta(&self) -> Option<HostsDelta> {
        let mut inner = self.inner();
        inner.watched = true;
        let changed: Vec<HostRow> = inner.rows.values_mut().filter_map(Entry::news).collect();
        let gone = std::mem::take(&mut inner.gone);
        let delta = HostsDelta { snapshot: false, changed, gone };
        (delta != HostsDelta::default()).then_some(delta)
    }

    /// Nobody looks any more: what goes is not remembered until somebody does.
    pub fn unwatch(&self) {
        let mut inner = self.inner();
        inner.watched = false;
        inner.gone = vec![];
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn of(&self, profile: &ProfileId) -> impl Iterator<Item = &Entry> {
        self.rows.values().filter(move |entry| entry.row.profile == *profile)
    }

    /// Whether there was any.
    fn remove(&mut self, which: impl Fn(&HostRow) -> bool) -> bool {
        let ids: Vec<u64> =
            self.rows.values().map(|it| &it.row).filter(|row| which(row)).map(|row| row.id).collect();
        for id in &ids {
            if let Some(Entry { row, address, .. }) = self.rows.remove(id) {
                if let Some(count) = self.counts.get_mut(&row.profile) {
                    *count -= 1;
                }
                self.index.remove(&(row.profile, row.name, address));
            }
        }
        let any = !ids.is_empty();
        if self.watched {
            self.gone.extend(ids);
        }
        any
    }
}

impl Entry {
    /// The row, when it was not told yet.
    fn news(&mut self) -> Option<HostRow> {
        std::mem::take(&mut self.fresh).then(|| self.row.clone())
    }

    fn turn(&mut self, state: HostState) {
        self.fresh |= self.row.state != state;
        self.row.state = state;
    }
}

fn source(source: Source) -> HostSource {
    match source {
        Source::HostsFile => HostSource::HostsFile,
        Source::Seed => HostSource::Seed,
        Source::ReverseDns => HostSource::ReverseDns,
        Source::NetBios => HostSource::Netbios,
        Source::Cache => HostSource::Cache,
    }
}

fn refused_because(why: HostRefusal) -> HostState {
    match why {
        HostRefusal::Syntax => HostState::Syntax,
        HostRefusal::Reserved => HostState::Reserved,
        HostRefusal::Suffix => HostState::Suffix,
        HostRefusal::Address => HostState::Outside,
        HostRefusal::Taken => HostState::Taken,
        HostRefusal::TakenBySession => HostState::OtherProfile,
    }
}

#[cfg(test)]
mod tests;
