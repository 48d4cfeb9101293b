//! The sessions of all clients.

use std::{collections::BTreeSet, sync::Arc};

use ropeway_helper_api::{Grant, Leaks, Method};

use crate::store::Store;

use super::{
    Changed, ClientId, Firewall, FirewallError, Key, LoadError, Loaded, SessionBlock, SessionPlan, State,
    Table,
    blocks::{Blocks, stored},
    flatten::Family,
    iptables::{self, Lines},
    meter::Meters,
    method, overlaps, render, share,
    stale::Stale,
    udp::{Device, Ways},
};

type Sessions = Vec<(Key, Arc<SessionPlan>)>;

/// All sessions of all clients, in the order in which they came, and what is kept closed.
pub struct Rules<F> {
    firewall: F,
    sessions: Sessions,
    /// Of the sessions that are there.
    method: Method,
    blocks: Blocks,
    meters: Meters,
    ways: Ways,
    store: Store,
}

impl<F: Firewall> Rules<F> {
    /// Takes up what an earlier helper left closed.
    pub fn new(mut firewall: F, store: Store) -> Self {
        let blocks = Blocks::take_up(store.clone(), &mut firewall);
        Self {
            firewall,
            sessions: vec![],
            method: Method::Nft,
            blocks,
            meters: Meters::default(),
            ways: Ways::default(),
            store,
        }
    }

    /// Installs the plan; a session that is there keeps its place. On an error everything is as before.
    pub fn load(&mut self, key: Key, mut plan: SessionPlan) -> Result<Loaded, LoadError> {
        let mut wanted = self.sessions.clone();
        let counted = self.routes_of(key).and_then(|before| before.meter);
        plan.meter = plan.plan.meter.then(|| counted.unwrap_or_else(|| self.meters.next()));
        let (uid, plan) = (plan.uid, Arc::new(plan));
        match wanted.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = plan,
            None => wanted.push((key, plan)),
        }
        let own: Vec<&SessionPlan> =
            wanted.iter().map(|(_, plan)| plan.as_ref()).filter(|plan| plan.uid == uid).collect();
        share::check(&render(&own)?)?;
        let method = self.choose(&wanted)?;
        self.change_to(wanted, method)?;
        let sessions: Vec<_> = self.sessions.iter().map(|(key, plan)| (*key, plan.as_ref())).collect();
        Ok(Loaded { method, overlaps: overlaps(key, &sessions) })
    }

    /// Removes the session, and what it kept closed. One that is not there needs no removing.
    pub fn unload(&mut self, key: Key) -> Result<(), LoadError> {
        let held = self.hold(key);
        self.blocks.unload(key, &mut self.firewall)?;
        held
    }

    /// Removes the session; what it kept closed stays closed.
    pub fn hold(&mut self, key: Key) -> Result<(), LoadError> {
        self.keep(|other, _| other != key)
    }

    /// The client is gone: so are its sessions, and what they kept closed is left over.
    pub fn unload_client(&mut self, client: ClientId) -> Result<(), LoadError> {
        self.blocks.leave(client);
        self.keep(|key, _| key.client != client)
    }

    /// A device for the datagrams of a session that is there.
    pub fn open_udp(&mut self, key: Key) -> Result<Device, LoadError> {
        let session = self.routes_of(key).ok_or(LoadError::NoSession)?;
        if self.method == Method::Iptables && session.grant == Grant::Own {
            return Err(LoadError::Unsupported("UDP for one user without nft".into()));
        }
        // rules of routing outlive us: no other helper may take them for a dead one's
        self.blocks.begin(&mut self.firewall)?;
        self.ways.open(key, &session, &mut self.firewall)
    }

    /// Keeps networks closed from now on. Replaces what the session, or an earlier one of the same user with the same
    /// id, kept closed.
    pub fn block(&mut self, key: Key, block: SessionBlock) -> Result<(), LoadError> {
        if let Err(reason) = self.firewall.means(false).nft {
            return Err(LoadError::Unsupported(format!("nothing can be kept closed without nft: {reason}")));
        }
        self.blocks.set(key, block, &mut self.firewall)
    }

    /// How many profiles of this user, and of others, are closed without a client.
    pub fn leftovers(&self, uid: u32) -> (u32, u32) {
        self.blocks.leftovers(uid)
    }

    /// Opens what was left closed by this user, or by everybody, and says how many profiles that were.
    pub fn restore(&mut self, uid: Option<u32>) -> Result<u32, LoadError> {
        self.blocks.restore(uid, &mut self.firewall)
    }

    /// Removes what this user has in force by a greater grant than what is left of it, and opens what that keeps
    /// closed, with a client or without. Each also when the other cannot.
    pub fn revoke(&mut self, uid: u32, left: Option<Grant>) -> Result<(), LoadError> {
        let opened = self.blocks.revoke(uid, left, &mut self.firewall);
        self.keep(|_, session| session.uid != uid || Some(session.grant) <= left)?;
        opened
    }

    /// Looks whether another program has removed or changed our tables, and loads them again. Call it every few
    /// seconds.
    pub fn check(&mut self) -> Vec<Changed> {
        let sessions = self.check_sessions();
        sessions.into_iter().chain(self.blocks.check(&mut self.firewall)).collect()
    }

    /// Of all connections of this user.
    pub fn sessions_of(&self, uid: u32) -> usize {
        self.sessions.iter().filter(|(_, session)| session.uid == uid).count()
    }

    pub fn routes_of(&self, key: Key) -> Option<Arc<SessionPlan>> {
        self.sessions.iter().find(|(other, _)| *other == key).map(|(_, session)| session.clone())
    }

    /// What went around the session's tunnel since it was loaded first.
    pub fn meter(&mut self, key: Key) -> Result<Leaks, LoadError> {
        let none = || LoadError::Unsupported("the session has no meter".into());
        let meter = self.routes_of(key).and_then(|session| session.meter).ok_or_else(none)?;
        if self.method == Method::Iptables {
            return Err(LoadError::Unsupported("there is no meter with iptables".into()));
        }
        let counters = self.firewall.counters()?;
        self.meters.note(counters);
        Ok(self.meters.of(meter))
    }

    /// Whether no client has anything in force. What was left closed stays without us.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && !self.blocks.has_clients()
    }

    fn keep(&mut self, wanted: impl Fn(Key, &SessionPlan) -> bool) -> Result<(), LoadError> {
        let kept: Sessions = self.sessions.iter().filter(|(key, plan)| wanted(*key, plan)).cloned().collect();
        if kept.len() == self.sessions.len() {
            return Ok(());
        }
        self.change_to(kept, self.method)
    }

    /// One for all: a session that wants iptables has the machine for itself.
    fn choose(&mut self, wanted: &Sessions) -> Result<Method, LoadError> {
        let asked_for =
            |(_, session): &(Key, Arc<SessionPlan>)| session.plan.method == Some(Method::Iptables);
        let means = self.firewall.means(wanted.iter().any(asked_for));
        let chosen = wanted.iter().map(|(_, session)| method::choose(session.plan.method, &means));
        let chosen = chosen.collect::<Result<Vec<_>, _>>().map_err(LoadError::Unsupported)?;
        match chosen.iter().find(|(method, _)| *method == Method::Iptables) {
            Some(_) if wanted.len() > 1 => {
                Err(LoadError::Unsupported("with iptables there can be one session".into()))
            }
            Some((method, reason)) => {
                tracing::info!(reason, "iptables");
                Ok(*method)
            }
            None => Ok(Method::Nft),
        }
    }

    fn change_to(&mut self, wanted: Sessions, method: Method) -> Result<(), LoadError> {
        self.ways.leave(&wanted, &mut self.firewall);
        match self.install(&wanted, method) {
            Ok(()) => {
                if method != self.method {
                    self.remove(self.method)?;
                }
                self.method = method;
                let before = std::mem::replace(&mut self.sessions, wanted);
                self.meters.keep(self.sessions.iter().filter_map(|(_, session)| session.meter));
                self.ways.follow(&self.sessions, &mut self.firewall);
                self.firewall.forget(&Stale::between(plans(&before), plans(&self.sessions)));
                Ok(())
            }
            Err(LoadError::Firewall(error @ FirewallError::Differs(_))) => Err(self.go_back(error, method)),
            Err(unchanged) => Err(unchanged),
        }
    }

    /// Nobody knows what the kernel holds now: back to what worked before, and if that fails, to nothing.
    fn go_back(&mut self, cause: FirewallError, tried: Method) -> LoadError {
        let before = std::mem::take(&mut self.sessions);
        if tried == self.method && self.install(&before, tried).is_ok() {
            self.sessions = before;
            return LoadError::Firewall(cause);
        }
        for method in [tried, self.method] {
            if let Err(error) = self.remove(method) {
                tracing::error!(%error, "the rules could not be removed");
            }
        }
        self.ways.follow(&[], &mut self.firewall);
        LoadError::Lost(cause)
    }

    /// The counts outlive their table.
    fn install(&mut self, sessions: &Sessions, method: Method) -> Result<(), LoadError> {
        self.note_meters();
        let installed = self.put(sessions, method);
        self.note_meters();
        installed
    }

    /// Numbers are not worth an error.
    fn note_meters(&mut self) {
        if self.sessions.iter().any(|(_, session)| session.meter.is_some()) {
            match self.firewall.counters() {
                Ok(counters) => self.meters.note(counters),
                Err(error) => tracing::debug!(%error, "cannot read the counters"),
            }
        }
    }

    fn put(&mut self, sessions: &Sessions, method: Method) -> Result<(), LoadError> {
        let Some((_, first)) = sessions.first() else { return self.remove(method) };
        if method == Method::Iptables {
            let lines = both_families(first)?;
            self.blocks.begin(&mut self.firewall)?; // no other helper has rules that outlive it
            self.store.write(iptables::JOURNAL, &true).map_err(|e| stored(&e))?;
            return Ok(self.firewall.replace_iptables(&lines)?);
        }
        Ok(self.firewall.replace(&render(&plans(sessions).collect::<Vec<_>>())?)?)
    }

    fn remove(&mut self, method: Method) -> Result<(), LoadError> {
        if method == Method::Nft {
            return Ok(self.firewall.remove(Table::Redirect)?);
        }
        self.firewall.remove_iptables()?;
        self.store.remove(iptables::JOURNAL).map_err(|e| stored(&e))
    }

    fn is_intact(&mut self) -> bool {
        let Some((_, first)) = self.sessions.first() else { return true };
        match (self.method, both_families(first)) {
            (Method::Iptables, Ok(lines)) => {
                self.firewall.iptables_state(&lines).is_ok_and(|state| state == State::Intact)
            }
            _ => is_intact(&mut self.firewall, Table::Redirect),
        }
    }

    fn check_sessions(&mut self) -> Option<Changed> {
        if self.is_intact() {
            return None;
        }
        tracing::warn!("another program has removed or changed the redirect rules");
        let clients: BTreeSet<ClientId> = self.sessions.iter().map(|(key, _)| key.client).collect();
        let sessions = self.sessions.clone();
        let mended = self
            .install(&sessions, self.method)
            .inspect_err(|error| tracing::error!(%error, "not mended"))
            .is_ok();
        self.firewall.forget(&Stale::between(plans(&sessions), plans(&sessions)));
        Some(Changed { clients: clients.into_iter().collect(), mended })
    }
}

fn both_families(session: &SessionPlan) -> Result<[Lines; 2], LoadError> {
    let of = |family| iptables::render(session, family).map_err(|e| LoadError::Unsupported(e.to_string()));
    Ok([of(Family::V4)?, of(Family::V6)?])
}

/// A question that fails is no reason to touch the rules.
pub(super) fn is_intact(firewall: &mut impl Firewall, table: Table) -> bool {
    match firewall.state(table) {
        Ok(state) => state == State::Intact,
        Err(error) => {
            tracing::warn!(%error, "cannot look at the table {}", table.name());
            true
        }
    }
}

fn plans(sessions: &Sessions) -> impl Iterator<Item = &SessionPlan> + Clone {
    sessions.iter().map(|(_, session)| session.as_ref())
}
