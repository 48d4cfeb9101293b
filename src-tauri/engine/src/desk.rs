//! The profiles that there are, and the tunnel of each. One lock; nothing under it waits.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use nix::unistd::getuid;
use ropeway_helper_api::SessionId;

use crate::{
    api::{BrokenProfile, Code, Event, Failure, Phase, Profile, ProfileId, Status},
    hub::Hub,
    profile,
    session::{
        closed::Closed,
        reach::local_networks,
        tunnel::Tunnel,
        up::{Context, Tools},
    },
};

/// What a face can point at.
pub struct Desk {
    state: Mutex<State>,
    tools: Arc<Tools>,
    hub: Arc<Hub>,
    numbers: AtomicU32,
}

#[derive(Default)]
struct State {
    profiles: Vec<Profile>,
    broken: Vec<BrokenProfile>,
    tunnels: BTreeMap<ProfileId, Tunnel>,
    /// The engine is ending: nothing begins any more.
    closed: bool,
}

impl Desk {
    pub fn new(tools: Tools, hub: Arc<Hub>) -> Self {
        Self { state: Mutex::default(), tools: Arc::new(tools), hub, numbers: AtomicU32::new(1) }
    }

    pub fn connect(&self, id: &ProfileId) -> Result<(), Failure> {
        let state = self.state();
        let (profile, tunnel) = state.startable(id)?;
        tunnel.connect(self.context(profile, tunnel.session()));
        Ok(())
    }

    /// Returns when everything is gone.
    pub async fn disconnect(&self, id: &ProfileId) -> Result<(), Failure> {
        let gone = self.state().tunnels.get(id).ok_or_else(|| missing(id))?.disconnect();
        gone.await;
        Ok(())
    }

    pub async fn disconnect_all(&self) {
        let all: Vec<_> = self.state().tunnels.values().map(Tunnel::disconnect).collect();
        for gone in all {
            gone.await;
        }
    }

    /// Whether traffic is rejected because of any of them.
    pub fn holds_anything(&self) -> bool {
        self.state().tunnels.values().any(|tunnel| tunnel.status(|status| status.blocking))
    }

    pub async fn toggle(&self, id: &ProfileId) -> Result<(), Failure> {
        let done = {
            let state = self.state();
            let (profile, tunnel) = state.startable(id)?;
            tunnel.toggle(self.context(profile, tunnel.session()))
        };
        done.await;
        Ok(())
    }

    /// Connects a profile that is in no file.
    pub fn run(&self, mut profile: Profile) -> Result<ProfileId, Failure> {
        profile.id = ProfileId::unsaved(self.numbers.fetch_add(1, Relaxed));
        let id = profile.id.clone();
        let mut state = self.state();
        state.tunnels.insert(id.clone(), self.tunnel(&profile));
        state.profiles.push(profile);
        self.hub.send(&state.profiles());
        drop(state);
        self.connect(&id)?;
        Ok(id)
    }

    /// Nothing begins any more.
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// What the files say now. A tunnel that is up goes on as it is; its profile stays in the list until it is off, so
    /// that it can be switched off, whatever became of its file.
    pub fn lay_out(&self, mut profiles: Vec<Profile>, broken: Vec<BrokenProfile>) {
        let mut state = self.state();
        let old = std::mem::take(&mut state.profiles);
        for profile in &profiles {
            match state.tunnels.get(&profile.id) {
                Some(tunnel) if !old.contains(profile) => {
                    tunnel.change(self.context(profile, tunnel.session()));
                }
                Some(_) => {}
                None => drop(state.tunnels.insert(profile.id.clone(), self.tunnel(profile))),
            }
        }
        let fileless = |it: &Profile| profiles.iter().all(|other| other.id != it.id);
        let staying = |it: &Profile| it.id.is_unsaved() || state.tunnels.get(&it.id).is_some_and(is_on);
        let stay: Vec<_> = old.into_iter().filter(|it| fileless(it) && staying(it)).collect();
        profiles.extend(stay);
        state.tunnels.retain(|id, _| profiles.iter().any(|profile| profile.id == *id));
        (state.profiles, state.broken) = (profiles, broken);
        state.tell_all(|event| self.hub.send(&event));
    }

    /// The list and every state.
    pub fn all(&self) -> (Vec<Profile>, Vec<Status>) {
        let state = self.state();
        let statuses = state.tunnels.values().map(|tunnel| tunnel.status(Status::clone)).collect();
        (state.profiles.clone(), statuses)
    }

    /// The list and every state; nothing newer is told to anybody meanwhile.
    pub fn tell_all(&self, tell: impl Fn(Event)) {
        self.state().tell_all(tell);
    }

    fn tunnel(&self, profile: &Profile) -> Tunnel {
        let session = SessionId(self.numbers.fetch_add(1, Relaxed));
        Tunnel::new(self.context(profile, session), self.hub.clone())
    }

    fn context(&self, profile: &Profile, session: SessionId) -> Arc<Context> {
        let problems = profile::parse(profile).err();
        let parsed = profile::understood(profile);
        self.tools.names.set(session, &profile.name);
        Arc::new(Context {
            profile: profile.id.clone(),
            name: profile.name.clone(),
            closed: Closed::of(&profile.id, &parsed, parsed.capture.of(getuid()), &local_networks()),
            parsed: Arc::new(parsed),
            invalid: problems.map(|problems| profile::invalid(profile, &problems)),
            session,
            tools: self.tools.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn startable(&self, id: &ProfileId) -> Result<(&Profile, &Tunnel), Failure> {
        if self.closed {
            return Err(Failure::new(Code::Internal, "Ropeway", "it is closing"));
        }
        let profile = self.profiles.iter().find(|profile| profile.id == *id);
        profile.zip(self.tunnels.get(id)).ok_or_else(|| missing(id))
    }

    fn profiles(&self) -> Event {
        Event::Profiles { profiles: self.profiles.clone(), broken: self.broken.clone() }
    }

    fn tell_all(&self, tell: impl Fn(Event)) {
        tell(self.profiles());
        for tunnel in self.tunnels.values() {
            tunnel.status(|status| tell(Event::Status { status: status.clone() }));
        }
    }
}

fn is_on(tunnel: &Tunnel) -> bool {
    tunnel.status(|status| status.blocking || !matches!(status.phase, Phase::Off | Phase::Error))
}

fn missing(id: &ProfileId) -> Failure {
    Failure::new(Code::ProfileMissing, &id.0, "")
}

#[cfg(test)]
mod tests;
