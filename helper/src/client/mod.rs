//! What one client may say, and what it is answered. No socket here: requests in, replies out, so that tests can say
//! anything.
//!
//! Start with [`Client::answer`]. Everything a client sends is checked here before the rules hear of it; `permit` says
//! what its grant covers, `refusal` how every error becomes an answer.

mod permit;
mod refusal;

use std::{
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ropeway_helper_api::{
    Capture, EPOCH, Grant, HelperCode, Plan, REVISION, Reply, Request, SessionId, limit, wire::Received,
};

pub use refusal::answer_to_garbage;

use self::refusal::{Refusal, fatal, refusal};
use crate::{
    platform::{self, DescriptorError},
    rules::{Cgroup, ClientId, Firewall, Key, Loaded, SessionPlan},
    state::State,
};

/// One connection.
pub struct Client {
    id: ClientId,
    /// Who is at the other end, according to the kernel or the bus.
    uid: u32,
    greeted: bool,
}

/// A reply, and whether the connection goes on after it.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub reply: Reply,
    pub close: bool,
}

impl Client {
    pub fn new(id: ClientId, uid: u32) -> Self {
        Self { id, uid, greeted: false }
    }

    /// Call it with every message in its order; after an answer with `close`, with none.
    /// The state is locked only for what needs it: a descriptor can lie on a file system that does not answer.
    pub fn answer<F: Firewall>(&mut self, state: &Mutex<State<F>>, message: Received<Request>) -> Answer {
        match self.handle(state, message) {
            Ok(reply) => Answer { reply, close: false },
            Err(refusal) => refusal.into(),
        }
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
        let mut fds = Descriptors(fds.into_iter());
        match request {
            Request::Load { session, plan } => self.load(state, grant, session, plan, fds),
            Request::Unload { session } => {
                Ok(lock(state).rules.unload(self.key(session)).map(|()| Reply::Done)?)
            }
            Request::MarkSocket => Ok(platform::mark(fds.next(), self.uid).map(|()| Reply::Done)?),
            _ => Err(refusal(HelperCode::Unsupported, "this helper does not know that request")),
        }
    }

    /// Asked anew for every request: it may have been revoked meanwhile.
    fn grant<F: Firewall>(&self, state: &Mutex<State<F>>) -> Result<Grant, Refusal> {
        let none = || fatal(HelperCode::NotGranted, format!("user {} has no grant", self.uid));
        lock(state).grants.of(self.uid).ok_or_else(none)
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
        let key = self.key(session);
        plan.validate()?;
        permit::load(grant, self.uid, &plan)?;
        let direct_cgroup = fds.cgroup(plan.direct_cgroup, self.uid)?;
        let captured_cgroup = fds.cgroup(plan.capture == Capture::Cgroup, self.may_capture(grant))?;
        fds.end()?;
        let mut state = lock(state);
        if state.rules.routes_of(key).is_none() && state.rules.sessions_of(self.uid) >= limit::SESSIONS {
            return Err(refusal(HelperCode::Limit, format!("more than {} sessions", limit::SESSIONS)));
        }
        let session = SessionPlan { plan, uid: self.uid, grant, direct_cgroup, captured_cgroup };
        let Loaded { method, overlaps } = state.rules.load(key, session)?;
        Ok(Reply::Loaded { method, overlaps })
    }

    /// Whose cgroups: with `all` anybody's, as root.
    fn may_capture(&self, grant: Grant) -> u32 {
        match grant {
            Grant::All => 0,
            Grant::Own => self.uid,
        }
    }

    fn key(&self, session: SessionId) -> Key {
        Key { client: self.id, session }
    }
}

fn lock<F>(state: &Mutex<State<F>>) -> MutexGuard<'_, State<F>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came with a message, in the documented order.
struct Descriptors(std::vec::IntoIter<OwnedFd>);

impl Descriptors {
    fn next(&mut self) -> Option<OwnedFd> {
        self.0.next()
    }

    /// The next one when it is `promised`, a cgroup of `owner`.
    fn cgroup(&mut self, promised: bool, owner: u32) -> Result<Option<Cgroup>, DescriptorError> {
        if !promised {
            return Ok(None);
        }
        let missing = || DescriptorError("the cgroup's descriptor is missing".into());
        platform::cgroup(&self.next().ok_or_else(missing)?, owner).map(Some)
    }

    fn end(mut self) -> Result<(), DescriptorError> {
        match self.next() {
            Some(_) => Err(DescriptorError("a descriptor that the message does not mention".into())),
            None => Ok(()),
        }
    }
}
