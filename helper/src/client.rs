//! What one client may say, and what it is answered. No socket here: requests in, replies out, so that tests can say
//! anything.
//!
//! Start with [`Client::answer`]. Everything a client sends is checked here before the rules hear of it.

use std::{io, os::fd::OwnedFd};

use ropeway_helper_api::{
    EPOCH, Grant, HelperCode, HelperError, Plan, REVISION, Reply, Request, SessionId, limit, wire::Received,
};

use crate::{
    platform::{self, DescriptorError},
    rules::{Cgroup, ClientId, Firewall, FirewallError, Key, LoadError, Loaded, Rules, SessionPlan},
};

/// One connection.
pub struct Client {
    id: ClientId,
    /// Who is at the other end, according to the kernel.
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

    pub fn id(&self) -> ClientId {
        self.id
    }

    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Call it with every message in its order; after an answer with `close`, with none.
    pub fn answer<F: Firewall>(&mut self, rules: &mut Rules<F>, message: Received<Request>) -> Answer {
        match self.handle(rules, message) {
            Ok(reply) => Answer { reply, close: false },
            Err(Refusal { error, close }) => Answer { reply: Reply::Error(error), close },
        }
    }

    fn handle<F: Firewall>(
        &mut self,
        rules: &mut Rules<F>,
        message: Received<Request>,
    ) -> Result<Reply, Refusal> {
        let Received { message: request, mut fds } = message;
        let fd = fds.pop();
        match request {
            Request::Hello { epoch, .. } => self.greet(epoch),
            _ if !self.greeted => Err(fatal(HelperCode::Malformed, "the first message is not a hello")),
            Request::Load { session, plan } => self.load(rules, session, plan, fd),
            Request::Unload { session } => Ok(rules.unload(self.key(session)).map(|()| Reply::Done)?),
            Request::MarkSocket => Ok(platform::mark(fd).map(|()| Reply::Done)?),
            _ => Err(refusal(HelperCode::Unsupported, "not yet")),
        }
    }

    fn greet(&mut self, epoch: u16) -> Result<Reply, Refusal> {
        if self.greeted {
            return Err(fatal(HelperCode::Malformed, "a second hello"));
        }
        if epoch != EPOCH {
            return Err(fatal(HelperCode::Version, format!("this helper speaks epoch {EPOCH}, not {epoch}")));
        }
        self.greeted = true;
        Ok(Reply::Hello {
            epoch: EPOCH,
            revision: REVISION,
            version: env!("CARGO_PKG_VERSION").into(),
            grant: Grant::All,
        })
    }

    fn load<F: Firewall>(
        &self,
        rules: &mut Rules<F>,
        session: SessionId,
        plan: Plan,
        fd: Option<OwnedFd>,
    ) -> Result<Reply, Refusal> {
        let key = self.key(session);
        plan.validate().map_err(|e| refusal(HelperCode::Plan, e.to_string()))?;
        if rules.routes_of(key).is_none() && rules.sessions_of(self.uid) >= limit::SESSIONS {
            return Err(refusal(HelperCode::Limit, format!("more than {} sessions", limit::SESSIONS)));
        }
        let direct_cgroup = self.direct_cgroup(&plan, fd)?;
        let (uid, grant) = (self.uid, Grant::All);
        let session = SessionPlan { plan, uid, grant, direct_cgroup, captured_cgroup: None };
        let Loaded { method, overlaps } = rules.load(key, session)?;
        Ok(Reply::Loaded { method, overlaps })
    }

    fn direct_cgroup(&self, plan: &Plan, fd: Option<OwnedFd>) -> Result<Option<Cgroup>, DescriptorError> {
        match fd {
            Some(folder) if plan.direct_cgroup => platform::cgroup(&folder, self.uid).map(Some),
            None if plan.direct_cgroup => Err(DescriptorError("the cgroup's descriptor is missing".into())),
            Some(_) => Err(DescriptorError("a descriptor that the plan does not mention".into())),
            None => Ok(None),
        }
    }

    fn key(&self, session: SessionId) -> Key {
        Key { client: self.id, session }
    }
}

/// The answer to bytes that were no message; None when the connection itself has failed, and nobody would hear it.
pub fn answer_to_garbage(error: &io::Error) -> Option<Answer> {
    let Refusal { error, close } = match error.kind() {
        io::ErrorKind::InvalidData => fatal(HelperCode::Malformed, error.to_string()),
        io::ErrorKind::TimedOut => fatal(HelperCode::Malformed, "the message did not end"),
        _ => return None,
    };
    Some(Answer { reply: Reply::Error(error), close })
}

struct Refusal {
    error: HelperError,
    close: bool,
}

fn refusal(code: HelperCode, detail: impl Into<String>) -> Refusal {
    Refusal { error: HelperError { code, detail: detail.into() }, close: false }
}

/// For messages that no honest client sends, and for ends.
fn fatal(code: HelperCode, detail: impl Into<String>) -> Refusal {
    Refusal { close: true, ..refusal(code, detail) }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let detail = error.to_string();
        match error {
            LoadError::Plan(_) => refusal(HelperCode::Plan, detail),
            LoadError::Firewall(FirewallError::Busy) => refusal(HelperCode::Busy, detail),
            LoadError::Firewall(_) | LoadError::Store(_) => refusal(HelperCode::Firewall, detail),
            LoadError::Unsupported(_) => refusal(HelperCode::Unsupported, detail),
            LoadError::TooManyBlocks => refusal(HelperCode::Limit, detail),
            LoadError::Lost(_) => fatal(HelperCode::Firewall, detail),
        }
    }
}

impl From<DescriptorError> for Refusal {
    fn from(DescriptorError(detail): DescriptorError) -> Self {
        refusal(HelperCode::Descriptor, detail)
    }
}
