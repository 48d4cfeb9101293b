//! The engine as its faces see it: profiles and their tunnels, behind one API.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use ropeway_helper_api::SessionId;
use tokio::task::JoinHandle;

use crate::{
    agents::Agents,
    api::{
        BrokenProfile, Code, Command, Event, Failure, Field, Interest, Phase, Problem, Profile, ProfileId,
        Reply, Status,
    },
    helper::Helper,
    hub::{Hub, Subscription},
    import,
    live::{Feed, Table},
    ours::Ours,
    profile::{self, Store},
    runtime,
    session::{tunnel::Tunnel, up::Context},
    setup::Setup,
    sys::descriptors,
};

/// A running engine; clones are the same one. Must be made and used inside a tokio runtime.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    hub: Arc<Hub>,
    table: Arc<Table>,
    helper: Arc<Helper>,
    agents: Arc<Agents>,
    ours: Arc<Ours>,
    runtime: PathBuf,
    sessions: AtomicU32,
    feed: JoinHandle<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    profiles: Vec<Profile>,
    broken: Vec<BrokenProfile>,
    tunnels: BTreeMap<ProfileId, Tunnel>,
}

impl Engine {
    /// Reads the profiles; connects nothing. Never fails because of a bad file: that becomes a `BrokenProfile`.
    pub fn start(setup: Setup) -> Result<Self, Failure> {
        descriptors::raise_limit();
        let runtime = runtime::folder(&setup.runtime).map_err(|error| {
            Failure::new(Code::Resources, setup.runtime.display().to_string(), error.to_string())
        })?;
        let (hub, table) = (Arc::new(Hub::default()), Arc::new(Table::default()));
        let feed = Feed { table: table.clone(), hub: hub.clone(), watched: hub.watched() };
        let inner = Arc::new(Inner {
            store: Store::new(setup.profiles),
            hub,
            table,
            helper: Arc::new(Helper::new(setup.helper)),
            agents: Arc::new(Agents::find(&setup.agents)),
            ours: Arc::default(),
            runtime,
            sessions: AtomicU32::new(1),
            feed: tokio::spawn(feed.run()),
            state: Mutex::default(),
        });
        inner.reload();
        Ok(Self { inner })
    }

    /// Does what a face asks.
    pub async fn command(&self, command: Command) -> Result<Reply, Failure> {
        let inner = &*self.inner;
        match command {
            Command::Connect { profile } => inner.connect(&profile).map(|()| Reply::Done),
            Command::Disconnect { profile } => inner.disconnect(&profile).await.map(|()| Reply::Done),
            Command::DisconnectAll => {
                inner.disconnect_all().await;
                Ok(Reply::Done)
            }
            Command::Toggle { profile } => inner.toggle(&profile).await.map(|()| Reply::Done),
            Command::Run { profile } => inner.run(profile),
            Command::Check { profile } => Ok(Reply::Checked { checked: profile::check(&profile) }),
            Command::Save { profile } => inner.save(&profile),
            Command::Delete { profile } => inner.delete(&profile).await.map(|()| Reply::Done),
            Command::PreviewImport { text } => {
                import::preview(&text).map(|preview| Reply::Preview { preview })
            }
            Command::Import { text } => inner.import(&text),
            Command::CloseConnection { connection } => {
                inner.table.close(connection);
                Ok(Reply::Done)
            }
        }
    }

    /// Everything that happens from now on, after a first full picture.
    pub fn subscribe(&self, interest: Interest) -> Subscription {
        let mut first = vec![self.inner.profiles_event()];
        first.extend(self.inner.statuses().into_iter().map(|status| Event::Status { status }));
        if interest.connections {
            first.push(Event::Connections { delta: self.inner.table.snapshot() });
        }
        self.inner.hub.subscribe(interest, first)
    }

    /// Ends all tunnels in order: no rule, no ssh stays. Bounded to a few seconds.
    pub async fn shutdown(&self) {
        self.inner.disconnect_all().await;
        self.inner.helper.end().await;
        self.inner.feed.abort();
        let _ = fs::remove_dir_all(&self.inner.runtime);
    }
}

impl Inner {
    fn connect(&self, id: &ProfileId) -> Result<(), Failure> {
        let mut state = self.state();
        let profile = state.profile(id)?.clone();
        let context = self.context(&profile);
        state.tunnels.entry(id.clone()).or_insert_with(|| self.tunnel(&profile)).connect(context);
        Ok(())
    }

    async fn disconnect(&self, id: &ProfileId) -> Result<(), Failure> {
        let gone = {
            let state = self.state();
            state.profile(id)?;
            state.tunnels.get(id).map(Tunnel::disconnect)
        };
        if let Some(gone) = gone {
            gone.await;
        }
        Ok(())
    }

    async fn disconnect_all(&self) {
        let all: Vec<_> = self.state().tunnels.values().map(Tunnel::disconnect).collect();
        for gone in all {
            gone.await;
        }
    }

    async fn toggle(&self, id: &ProfileId) -> Result<(), Failure> {
        let on = self
            .state()
            .tunnels
            .get(id)
            .is_some_and(|tunnel| !matches!(tunnel.status().phase, Phase::Off | Phase::Error));
        if on { self.disconnect(id).await } else { self.connect(id) }
    }

    fn run(&self, mut profile: Profile) -> Result<Reply, Failure> {
        if let Err(problems) = profile::parse(&profile) {
            return Err(invalid(&profile, &problems));
        }
        let session = self.sessions.load(Relaxed);
        profile.id = ProfileId(format!("unsaved-{session}"));
        let id = profile.id.clone();
        self.state().profiles.push(profile);
        self.hub.send(&self.profiles_event());
        self.connect(&id)?;
        Ok(Reply::Running { profile: id })
    }

    fn save(&self, profile: &Profile) -> Result<Reply, Failure> {
        let checked = profile::check(profile);
        if !checked.problems.is_empty() {
            return Ok(Reply::Checked { checked });
        }
        let id = self.store.save(profile)?;
        self.reload();
        Ok(Reply::Saved { profile: id })
    }

    async fn delete(&self, id: &ProfileId) -> Result<(), Failure> {
        self.disconnect(id).await?;
        self.store.delete(id)?;
        self.state().tunnels.remove(id);
        self.reload();
        Ok(())
    }

    fn import(&self, text: &str) -> Result<Reply, Failure> {
        let preview = import::preview(text)?;
        let good = preview.profiles.iter().filter(|it| it.checked.problems.is_empty());
        let profiles = good.map(|it| self.store.save(&it.profile)).collect::<Result<Vec<_>, _>>();
        self.reload();
        profiles.map(|profiles| Reply::Imported { profiles })
    }

    /// Reads the folder again and tells everybody. Tunnels that are up stay as they are.
    fn reload(&self) {
        let (saved, broken) = self.store.load_all();
        let mut state = self.state();
        state.profiles.retain(|profile| profile.id.0.starts_with("unsaved-"));
        state.profiles.splice(0..0, saved);
        state.broken = broken;
        for profile in state.profiles.clone() {
            if !state.tunnels.get(&profile.id).is_some_and(is_on) {
                state.tunnels.insert(profile.id.clone(), self.tunnel(&profile));
            }
        }
        drop(state);
        self.hub.send(&self.profiles_event());
        self.statuses().into_iter().for_each(|status| self.hub.send(&Event::Status { status }));
    }

    fn tunnel(&self, profile: &Profile) -> Tunnel {
        Tunnel::new(self.context(profile), self.hub.clone())
    }

    fn context(&self, profile: &Profile) -> Arc<Context> {
        let problems = profile::parse(profile).err();
        Arc::new(Context {
            profile: profile.id.clone(),
            parsed: Arc::new(profile::understood(profile)),
            invalid: problems.map(|problems| invalid(profile, &problems)),
            session: SessionId(self.sessions.fetch_add(1, Relaxed)),
            helper: self.helper.clone(),
            table: self.table.clone(),
            agents: self.agents.clone(),
            ours: self.ours.clone(),
            runtime: self.runtime.clone(),
        })
    }

    fn profiles_event(&self) -> Event {
        let state = self.state();
        Event::Profiles { profiles: state.profiles.clone(), broken: state.broken.clone() }
    }

    fn statuses(&self) -> Vec<Status> {
        self.state().tunnels.values().map(Tunnel::status).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn profile(&self, id: &ProfileId) -> Result<&Profile, Failure> {
        let found = self.profiles.iter().find(|profile| profile.id == *id);
        found.ok_or_else(|| Failure::new(Code::ProfileMissing, &id.0, ""))
    }
}

fn is_on(tunnel: &Tunnel) -> bool {
    tunnel.status().phase != Phase::Off
}

fn invalid(profile: &Profile, problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(|problem| line(profile, problem)).collect();
    Failure::new(Code::ProfileInvalid, &profile.name, lines.join("\n"))
}

/// `10/40: The width goes up to 32 here.`
fn line(profile: &Profile, problem: &Problem) -> String {
    let entry = match problem.field {
        Field::Name => Some(&profile.name),
        Field::Server => Some(&profile.server),
        Field::SshCommand => Some(&profile.ssh_command),
        Field::Subnets => problem.index.and_then(|index| profile.subnets.get(index as usize)),
        Field::Excludes => problem.index.and_then(|index| profile.excludes.get(index as usize)),
    };
    entry.map_or_else(|| problem.message.clone(), |entry| format!("{entry}: {}", problem.message))
}
