//! One tunnel's names: from the agent's reports to the helper's file.

use std::{future::pending, time::Duration};

use ropeway_agent_api::{FoundHost, Report, Request};
use ropeway_helper_api::{HostEntry, Hosts};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc::UnboundedSender, watch},
    time::{Instant, sleep_until},
};

use super::{
    name,
    table::{Sighting, Table},
};
use crate::{
    api::{Code, Failure, HostState},
    link::Link,
    live, profile,
    session::up::{Context, Progress},
};

/// From one list to the next: each is a new hosts file, which every program's resolver reads again.
const PAUSE: Duration = Duration::from_secs(1);

/// After a hosts file that could not be changed, where the next try would fail alike; and while another profile, maybe of
/// another program, has a name that is wanted here, too.
const LONG_PAUSE: Duration = Duration::from_mins(1);

/// Never returns. `rules` says whether the tunnel's rules are in force, and rings whenever they are loaded: the names of a
/// session live as long as they.
pub async fn keep(
    context: &Context,
    link: &Link,
    mut rules: watch::Receiver<bool>,
    tell: &UnboundedSender<Progress>,
) {
    let Some(wanted) = &context.parsed.names.hosts else { return pending().await };
    let table = &*context.tools.hosts;
    let (mut reports, mut freed) = (link.reports(), table.freed());
    link.ask(&Request::WatchHosts { seeds: wanted.seeds.clone(), auto: wanted.auto });
    let mut list = List {
        context,
        wanted,
        table,
        tell,
        sent: None,
        is_old: false,
        next: Instant::now(),
        retry: None,
        complained: false,
    };
    loop {
        let due = list.is_old && *rules.borrow();
        tokio::select! {
            report = reports.recv() => match report {
                Ok(Report::Hosts(found)) => list.note(found),
                // what was missed is told again in the next round
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return pending().await,
            },
            Ok(()) = rules.changed() => {
                let in_force = *rules.borrow_and_update();
                list.begin_anew(in_force);
            }
            Ok(()) = freed.changed() => list.try_again(),
            () = sleep_until(list.next), if due => list.send().await,
            () = sleep_until(list.retry.unwrap_or(list.next)), if list.retry.is_some() => list.try_again(),
        }
    }
}

struct List<'a> {
    context: &'a Context,
    wanted: &'a profile::Hosts,
    table: &'a Table,
    tell: &'a UnboundedSender<Progress>,
    /// What the helper has.
    sent: Option<Vec<HostEntry>>,
    /// The table may want another list.
    is_old: bool,
    next: Instant,
    /// When names that another profile has are asked for again.
    retry: Option<Instant>,
    /// That it cannot be had was told.
    complained: bool,
}

impl List<'_> {
    fn note(&mut self, found: Vec<FoundHost>) {
        let (profile, now) = (&self.context.profile, live::now());
        for host in found.into_iter().filter(|host| name::is_plain(&host.name)) {
            for name in name::here(&host.name, self.wanted) {
                let (found, address, source) = (host.name.clone(), host.address, host.source);
                self.is_old |= self.table.note(profile, Sighting { name, found, address, source }, now);
            }
        }
        self.is_old |= self.table.expire(profile, now);
    }

    /// Rules came, changed or went: other addresses may lie in them now, and with them go the names.
    fn begin_anew(&mut self, in_force: bool) {
        if !in_force {
            self.table.set_all(&self.context.profile, HostState::Waiting);
        }
        (self.sent, self.is_old, self.next) = (None, true, self.next.min(Instant::now() + PAUSE));
    }

    /// Another profile's names are gone.
    fn try_again(&mut self) {
        self.retry = None;
        if self.table.waits_for_others(&self.context.profile) {
            (self.sent, self.is_old) = (None, true);
        }
    }

    async fn send(&mut self) {
        (self.is_old, self.next) = (false, Instant::now() + PAUSE);
        let entries = self.table.entries(&self.context.profile);
        if self.sent.as_ref() == Some(&entries) || self.sent.is_none() && entries.is_empty() {
            return;
        }
        let hosts = Hosts { suffixes: name::suffixes(self.wanted), entries: entries.clone() };
        match self.context.tools.helper.set_hosts(self.context.session, hosts).await {
            Ok(refused) => {
                tracing::info!(names = entries.len(), ?refused, "names are in the hosts file");
                self.table.set(&self.context.profile, &entries, &refused);
                (self.sent, self.complained) = (Some(entries), false);
                let waits = self.table.waits_for_others(&self.context.profile);
                self.retry = waits.then(|| Instant::now() + LONG_PAUSE);
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// A helper that has gone takes the rules along, and the next one is asked when they are back.
    fn failed(&mut self, failure: Failure) {
        let state = match failure.code {
            Code::HelperGone => HostState::Waiting,
            Code::NotGranted => HostState::NotAllowed,
            _ => HostState::Failed,
        };
        self.table.set_all(&self.context.profile, state);
        if state != HostState::Waiting && !self.complained {
            self.complained = true;
            tracing::warn!(detail = failure.detail, "no names in the hosts file");
            let _ = self.tell.send(Progress::Note(failure));
        }
        (self.is_old, self.next) = (true, Instant::now() + LONG_PAUSE);
    }
}
