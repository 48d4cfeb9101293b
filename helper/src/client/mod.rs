//! What one client may say, and what it is answered. No socket here: requests in, replies out, so that tests can say
//! anything.
//!
//! Start with [`Client::answer`]. Everything a client sends is checked here before the rules hear of it; `permit` says
//! what its grant covers, `reach` which addresses its routes carry, `descriptors` what came along, `refusal` how every
//! error becomes an answer.

mod descriptors;
mod permit;
mod reach;
mod refusal;

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ropeway_helper_api::{
    Block, Capture, EPOCH, Grant, HelperCode, Hosts, Plan, REVISION, Reply, Request, SessionId, limit,
    wire::Received,
};

pub use refusal::answer_to_garbage;

use self::{
    descriptors::Descriptors,
    reach::reaches,
    refusal::{Refusal, fatal, refusal},
};
use crate::{
    hosts::HostsError,
    platform,
    rules::{ClientId, Firewall, Key, LoadError, Loaded, Rules, SessionBlock, SessionPlan},
    state::State,
};

/// One connection.
pub struct Client {
    id: ClientId,
    /// Who is at the other end, according to the kernel or the bus.
    uid: u32,
    greeted: bool,
    /// What each session asked for, because a change of its routes changes which of them may stand.
    names: BTreeMap<SessionId, Hosts>,
    /// What goes with the answer.
    given: Option<OwnedFd>,
}

/// A reply, and what becomes of connections after it.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub reply: Reply,
    /// This one does not go on.
    pub close: bool,
    /// The rules of all clients are gone: none can go on.
    pub lost: bool,
}

impl Client {
    pub fn new(id: ClientId, uid: u32) -> Self {
        Self { id, uid, greeted: false, names: BTreeMap::new(), given: None }
    }

    /// Call it with every message in its order; after an answer with `close`, with none.
    ///
    /// The state is locked only for what needs it: a descriptor can lie on a file system that does not answer.
    pub fn answer<F: Firewall>(&mut self, state: &Mutex<State<F>>, message: Received<Request>) -> Answer {
        match self.handle(state, message) {
            Ok(reply) => Answer { reply, close: false, lost: false },
            Err(refusal) => refusal.into(),
        }
    }

    /// The descriptor that goes with the last answer.
    pub fn given(&mut self) -> Option<OwnedFd> {
        self.given.take()
    }

    fn handle<F: Firewall>(
        &mut self,
        state: &Mutex<State<F>>,
        message: Received<Request>,
    ) -> Result<Reply, Refusal> {
        let Received { message: request, fds } = message;
        let grant = self.grant(state)?;
        if let Request::Hello { epoch, version, .. } = request {
            return self.greet(epoch, &version, grant);
        }
        if !self.greeted {
            return Err(fatal(HelperCode::Malformed, "the first message is not a hello"));
        }
        let fds = Descriptors::new(fds);
        match request {
            Request::Load { session, plan } => self.load(state, grant, session, plan, fds),
            Request::Block { session, block } => self.block(state, grant, session, block, fds),
            Request::MarkSocket => Ok(platform::mark(fds.only()?, self.uid).map(|()| Reply::Done)?),
            other => fds.end().map_err(Refusal::from).and_then(|()| self.handle_plain(state, grant, other)),
        }
    }

    /// What comes without descriptors.
    fn handle_plain<F: Firewall>(
        &mut self,
        state: &Mutex<State<F>>,
        grant: Grant,
        request: Request,
    ) -> Result<Reply, Refusal> {
        match request {
            Request::Unload { session } => self.end(&mut lock(state), session, Rules::unload),
            Request::Hold { session } => self.end(&mut lock(state), session, Rules::hold),
            Request::SetHosts { session, hosts } => self.set_hosts(state, grant, session, hosts),
            Request::Meter { session } => {
                let leaks = lock(state).rules.meter(self.key(session))?;
                Ok(Reply::Meter { leaks })
            }
            Request::OpenUdp { session } => {
                let device = self.lock_granted(state, grant)?.rules.open_udp(self.key(session))?;
                self.given = Some(device.descriptor);
                Ok(Reply::Udp { device: device.name })
            }
            Request::Leftovers => {
                let (mine, others) = lock(state).rules.leftovers(self.uid);
                Ok(Reply::Leftovers { mine, others })
            }
            Request::Restore { everybody } => self.restore(state, everybody),
            _ => Err(refusal(HelperCode::Unsupported, "this helper does not know that request")),
        }
    }

    /// Asked anew for every request: it may have been revoked meanwhile. That it could not be read changes nothing, so
    /// what is in force stays, and the client may ask again.
    fn grant<F: Firewall>(&self, state: &Mutex<State<F>>) -> Result<Grant, Refusal> {
        let unknown = |error| refusal(HelperCode::Limit, format!("the grants cannot be read now: {error}"));
        let none = || fatal(HelperCode::NotGranted, format!("user {} has no grant", self.uid));
        lock(state).grants.of(self.uid).map_err(unknown)?.ok_or_else(none)
    }

    fn greet(&mut self, epoch: u16, version: &str, grant: Grant) -> Result<Reply, Refusal> {
        if self.greeted {
            return Err(fatal(HelperCode::Malformed, "a second hello"));
        }
        if version.len() > limit::VERSION {
            return Err(fatal(HelperCode::Malformed, format!("a version of {} bytes", version.len())));
        }
        let ours = env!("CARGO_PKG_VERSION");
        if epoch != EPOCH {
            let detail = format!("helper {ours} speaks epoch {EPOCH}, app {version:?} speaks epoch {epoch}");
            return Err(fatal(HelperCode::Version, detail));
        }
        self.greeted = true;
        Ok(Reply::Hello { epoch: EPOCH, revision: REVISION, version: ours.into(), grant })
    }

    fn load<F: Firewall>(
        &self,
        state: &Mutex<State<F>>,
        grant: Grant,
        session: SessionId,
        plan: Plan,
        mut fds: Descriptors,
    ) -> Result<Reply, Refusal> {
        plan.validate()?;
        permit::load(grant, self.uid, &plan)?;
        let direct_cgroup = fds.cgroup(plan.direct_cgroup, self.uid)?;
        let captured_cgroup = fds.cgroup(plan.capture == Capture::Cgroup, self.captured_owner(grant))?;
        fds.end()?;
        let key = self.key(session);
        let mut state = self.lock_granted(state, grant)?;
        if state.rules.routes_of(key).is_none() && state.rules.sessions_of(self.uid) >= limit::SESSIONS {
            return Err(refusal(HelperCode::Limit, format!("more than {} sessions", limit::SESSIONS)));
        }
        let plan = SessionPlan { plan, uid: self.uid, grant, direct_cgroup, captured_cgroup, meter: None };
        let Loaded { method, overlaps } = state.rules.load(key, plan)?;
        self.check_names_again(&mut state, session)?;
        Ok(Reply::Loaded { method, overlaps })
    }

    fn block<F: Firewall>(
        &self,
        state: &Mutex<State<F>>,
        grant: Grant,
        session: SessionId,
        block: Block,
        mut fds: Descriptors,
    ) -> Result<Reply, Refusal> {
        block.validate()?;
        permit::block(grant, self.uid, &block)?;
        let direct_cgroup = fds.cgroup(block.direct_cgroup, self.uid)?;
        fds.end()?;
        let block = SessionBlock { block, uid: self.uid, grant, direct_cgroup };
        self.lock_granted(state, grant)?.rules.block(self.key(session), block)?;
        Ok(Reply::Done)
    }

    /// Names and rules go, each also when the other cannot.
    fn end<F: Firewall>(
        &mut self,
        state: &mut State<F>,
        session: SessionId,
        rules: impl FnOnce(&mut Rules<F>, Key) -> Result<(), LoadError>,
    ) -> Result<Reply, Refusal> {
        let key = self.key(session);
        let names = state.hosts.remove(key);
        rules(&mut state.rules, key)?;
        names?;
        self.names.remove(&session);
        Ok(Reply::Done)
    }

    fn set_hosts<F: Firewall>(
        &mut self,
        state: &Mutex<State<F>>,
        grant: Grant,
        session: SessionId,
        hosts: Hosts,
    ) -> Result<Reply, Refusal> {
        permit::set_hosts(grant)?;
        let (key, mut state) = (self.key(session), self.lock_granted(state, grant)?);
        let Some(loaded) = state.rules.routes_of(key) else {
            return Err(refusal(HelperCode::Hosts, "names of a session without a plan"));
        };
        let refused = state.hosts.set(key, &hosts, &|address| reaches(&loaded.plan, address))?;
        self.names.insert(session, hosts);
        Ok(Reply::Hosts { refused })
    }

    /// The routes are new: a name whose address is outside of them now goes.
    fn check_names_again<F: Firewall>(
        &self,
        state: &mut State<F>,
        session: SessionId,
    ) -> Result<(), HostsError> {
        let key = self.key(session);
        let (Some(hosts), Some(loaded)) = (self.names.get(&session), state.rules.routes_of(key)) else {
            return Ok(());
        };
        state.hosts.set(key, hosts, &|address| reaches(&loaded.plan, address)).map(drop)
    }

    fn restore<F: Firewall>(&self, state: &Mutex<State<F>>, everybody: bool) -> Result<Reply, Refusal> {
        if everybody {
            permit::restore_everybody(self.uid)?;
        }
        lock(state).rules.restore((!everybody).then_some(self.uid))?;
        Ok(Reply::Done)
    }

    /// The grant is looked at once more under the lock: it may have been taken back meanwhile, and then nothing that it
    /// allowed may come into force.
    fn lock_granted<'s, F: Firewall>(
        &self,
        state: &'s Mutex<State<F>>,
        grant: Grant,
    ) -> Result<MutexGuard<'s, State<F>>, Refusal> {
        let state = lock(state);
        match state.grants.of(self.uid) {
            Ok(Some(now)) if now == grant => Ok(state),
            Ok(Some(_)) => Err(refusal(HelperCode::NotGranted, "the grant has just changed")),
            Ok(None) => Err(fatal(HelperCode::NotGranted, "the grant has just been taken back")),
            Err(error) => Err(refusal(HelperCode::Limit, format!("the grants cannot be read now: {error}"))),
        }
    }

    /// Whose cgroups may be captured: with `all` anybody's.
    fn captured_owner(&self, grant: Grant) -> Option<u32> {
        (grant == Grant::Own).then_some(self.uid)
    }

    fn key(&self, session: SessionId) -> Key {
        Key { client: self.id, session }
    }
}

fn lock<F>(state: &Mutex<State<F>>) -> MutexGuard<'_, State<F>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
