//! Keeps what goes through right while the tunnel is up: names and files are followed, the network is looked at, edits are
//! taken over.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ropeway_agent_api::{Report, Request, Routes};
use tokio::{
    sync::{
        broadcast,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Current,
    effective::{Effective, Side, Source},
    files::{Content, File},
    local, named,
    wild::Wild,
};
use crate::{
    link::Link,
    names::{ask::Asker, message::Found},
    profile::{Later, Parsed},
    subnet::{Named, Subnet},
};

/// Files and interfaces are looked at this often: some calls to the kernel, and a change is there before anybody has
/// wondered.
const LOOK: Duration = Duration::from_secs(2);

/// The server's routes may change, too; who lives by them notices within this.
const ROUTES: Duration = Duration::from_mins(1);

/// Answers that passed through; whoever waits for `done` may then use the addresses.
#[derive(Debug)]
pub struct Learned {
    pub found: Vec<Found>,
    pub done: oneshot::Sender<()>,
}

/// For one attempt.
pub struct Follower {
    link: Link,
    asker: Asker,
    current: Arc<Current>,
    effective: Effective,
    /// What the server says of itself; None until it has.
    routes: Option<Routes>,
    files: BTreeMap<(Side, String), File>,
    /// Names that stand in files.
    within: BTreeMap<(Side, String), Vec<Named>>,
    wild: Vec<Wild>,
    names: BTreeMap<(Side, Source), Task>,
    tell: UnboundedSender<(Side, Source, BTreeSet<Subnet>)>,
    told: UnboundedReceiver<(Side, Source, BTreeSet<Subnet>)>,
}

/// Ends with its handle.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a profile has from its networks, its files and this computer alone: enough for the first rules.
pub fn first(parsed: Arc<Parsed>) -> Effective {
    let mut effective = Effective::new(parsed);
    look_at_networks(&mut effective);
    effective
}

fn look_at_networks(effective: &mut Effective) -> bool {
    let local = if effective.parsed().reach.local_networks { BTreeSet::new() } else { local::networks() };
    effective.set(Side::Direct, Source::Local, local)
}

impl Follower {
    pub fn new(link: Link, asker: Asker, current: Arc<Current>) -> Self {
        let effective = current.newest().effective.clone();
        let (tell, told) = unbounded_channel();
        let mut follower = Self {
            link,
            asker,
            current,
            effective,
            routes: None,
            files: BTreeMap::new(),
            within: BTreeMap::new(),
            wild: vec![],
            names: BTreeMap::new(),
            tell,
            told,
        };
        follower.read_entries();
        follower.look();
        follower.publish();
        follower
    }

    /// Until dropped.
    pub async fn run(
        mut self,
        mut edits: watch::Receiver<Arc<Parsed>>,
        mut learned: UnboundedReceiver<Learned>,
    ) {
        let mut reports = self.link.reports();
        let (mut looks, mut asks) = (interval(LOOK), interval(ROUTES));
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        asks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let changed = tokio::select! {
                Some((side, source, subnets)) = self.told.recv() => self.take(side, source, subnets),
                Some(learned) = learned.recv() => {
                    self.learn(learned);
                    false
                }
                Ok(()) = edits.changed() => {
                    let parsed = edits.borrow_and_update().clone();
                    self.edit(parsed)
                }
                report = reports.recv() => match report {
                    Ok(Report::Routes(routes)) => self.on_routes(routes),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => false,
                    // the link has ended, and with it all of this
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = looks.tick() => self.look(),
                _ = asks.tick(), if self.routes.is_none() || self.effective.parsed().reach.auto_nets => {
                    self.link.ask(&Request::Routes);
                    false
                }
            };
            if changed {
                self.publish();
            }
        }
    }

    fn publish(&self) -> u64 {
        self.current.set(self.effective.clone())
    }

    /// A name that is not followed any more may still have something to say.
    fn take(&mut self, side: Side, source: Source, subnets: BTreeSet<Subnet>) -> bool {
        self.names.contains_key(&(side, source.clone())) && self.effective.set(side, source, subnets)
    }

    fn learn(&mut self, learned: Learned) {
        let now = Instant::now();
        let mut changed = false;
        for wild in &mut self.wild {
            if wild.learn(&learned.found, now) {
                changed |= self.effective.set(wild.side, Source::Entry(wild.typed.clone()), wild.subnets());
            }
        }
        if !changed {
            let _ = learned.done.send(());
            return;
        }
        let (current, number) = (self.current.clone(), self.publish());
        tokio::spawn(async move {
            current.wait_for(number).await;
            let _ = learned.done.send(());
        });
    }

    fn edit(&mut self, parsed: Arc<Parsed>) -> bool {
        self.asker = self.asker.with_servers(parsed.names.dns.clone().unwrap_or_default().servers);
        self.effective.edit(parsed);
        self.read_entries();
        self.look();
        self.take_routes();
        true
    }

    fn on_routes(&mut self, routes: Routes) -> bool {
        let first = self.routes.is_none();
        self.routes = Some(routes);
        if first {
            // short names are tried with the server's domains, which are known from now on
            self.follow_names();
        }
        self.take_routes()
    }

    /// The server's networks that this computer is not in itself.
    fn take_routes(&mut self) -> bool {
        let wanted = self.effective.parsed().reach.auto_nets;
        let networks = self.routes.iter().filter(|_| wanted).flat_map(|routes| &routes.networks);
        let local = local::networks();
        let subnets = networks.map(|net| Subnet::from(*net)).filter(|net| !local.contains(net)).collect();
        self.effective.set(Side::Through, Source::AutoNets, subnets)
    }

    /// At files, at this computer's networks, and at what is too old.
    fn look(&mut self) -> bool {
        let mut changed = look_at_networks(&mut self.effective);
        let mut names = false;
        for ((side, typed), file) in &mut self.files {
            let Some(Content { subnets, names: within, problems }) = file.news() else { continue };
            for problem in problems {
                tracing::warn!(file = typed, problem);
            }
            changed |= self.effective.set(*side, Source::Entry(typed.clone()), subnets);
            self.within.insert((*side, typed.clone()), within);
            names = true;
        }
        if names {
            changed |= self.follow_names();
        }
        let now = Instant::now();
        for wild in &mut self.wild {
            if wild.forget(now) {
                changed |= self.effective.set(wild.side, Source::Entry(wild.typed.clone()), wild.subnets());
            }
        }
        changed
    }

    /// What of the profile's lists has to be followed; what is followed already goes on.
    fn read_entries(&mut self) {
        let parsed = self.effective.parsed().clone();
        let (mut files, mut wild) = (BTreeMap::new(), vec![]);
        for (side, typed, later) in entries(&parsed) {
            match later {
                Later::File(path) => {
                    let key = (side, typed.clone());
                    let file = self.files.remove(&key).unwrap_or_else(|| File::new(path));
                    files.insert(key, file);
                }
                Later::Name(named) if named.is_wildcard() => {
                    let old = self.wild.iter().position(|wild| wild.side == side && wild.typed == *typed);
                    let new = || Wild::new(side, typed.clone(), named.clone());
                    wild.push(old.map_or_else(new, |at| self.wild.swap_remove(at)));
                }
                Later::Name(_) => {}
            }
        }
        for (side, typed) in std::mem::replace(&mut self.files, files).into_keys() {
            self.within.remove(&(side, typed.clone()));
            self.effective.set(side, Source::Entry(typed), BTreeSet::new());
        }
        for wild in std::mem::replace(&mut self.wild, wild) {
            self.effective.set(wild.side, Source::Entry(wild.typed), BTreeSet::new());
        }
        self.follow_names();
    }

    /// Whether a name was given up that had addresses.
    fn follow_names(&mut self) -> bool {
        let Some(routes) = &self.routes else { return false };
        let parsed = self.effective.parsed().clone();
        let own = entries(&parsed).filter_map(|(side, typed, later)| match later {
            Later::Name(named) if !named.is_wildcard() => {
                Some(((side, Source::Entry(typed.clone())), named.clone()))
            }
            _ => None,
        });
        let within = self.within.iter().flat_map(|((side, file), names)| {
            let source = |named: &Named| Source::Within(file.clone(), named.to_string());
            names
                .iter()
                .filter(|named| !named.is_wildcard())
                .map(move |named| ((*side, source(named)), named.clone()))
        });
        let wanted: BTreeMap<(Side, Source), Named> = own.chain(within).collect();
        let gone: Vec<_> = self.names.keys().filter(|key| !wanted.contains_key(key)).cloned().collect();
        let mut changed = false;
        for key in gone {
            self.names.remove(&key);
            changed |= self.effective.set(key.0, key.1, BTreeSet::new());
        }
        for (key, named) in wanted {
            if !self.names.contains_key(&key) {
                let task = self.follow_name(key.clone(), named, routes.search.clone());
                self.names.insert(key, task);
            }
        }
        changed
    }

    fn follow_name(&self, (side, source): (Side, Source), named: Named, search: Vec<String>) -> Task {
        let (link, asker, tell) = (self.link.clone(), self.asker.clone(), self.tell.clone());
        let task = tokio::spawn(async move {
            let told = |addresses: BTreeSet<IpAddr>| {
                let subnets = addresses.into_iter().map(|address| named.subnet(address)).collect();
                let _ = tell.send((side, source.clone(), subnets));
            };
            named::follow(named.name(), &link, &asker, &search, told).await;
        });
        Task(task.abort_handle())
    }
}

fn entries(parsed: &Parsed) -> impl Iterator<Item = (Side, &String, &Later)> {
    let through = parsed.include_later.iter().map(|(typed, later)| (Side::Through, typed, later));
    through.chain(parsed.exclude_later.iter().map(|(typed, later)| (Side::Direct, typed, later)))
}
