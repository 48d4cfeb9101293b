//! Answers the calls. What may have to wait for a person is answered on a thread of its own.

use std::{
    collections::{BTreeSet, HashMap},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use ropeway_helper_api::{EPOCH, Grant, REVISION, bus};
use zbus::{
    Message,
    blocking::Connection,
    names::{OwnedUniqueName, UniqueName},
    zvariant::{self, DynamicType, Value},
};

use super::{
    activity::Activity,
    authority::Authority,
    call::{Call, CallError, Property},
};
use crate::{
    grants::Grants,
    rules::Firewall,
    server::{OpenError, Server},
    state::State,
};

const INTROSPECTION: &str = include_str!("introspection.xml");

pub struct Service<F> {
    pub connection: Connection,
    pub authority: Authority,
    pub server: Arc<Server<F>>,
    pub activity: Activity,
    /// Read without the lock of the state: the loop that takes the calls must not wait for other users' rules.
    pub grants: Grants,
    /// Users about whom polkit is being asked: one question at a time.
    pub asked: Mutex<BTreeSet<u32>>,
}

/// Who calls.
struct Caller {
    name: OwnedUniqueName,
    uid: u32,
}

impl<F: Firewall + Send + 'static> Service<F> {
    pub fn answer(self: &Arc<Self>, message: &Message) {
        let result = Call::parse(message).and_then(|call| match call {
            Call::SetUp(_) | Call::Revoke(_) | Call::Restore => self.answer_later(call, message),
            _ => self.answer_now(&call, message),
        });
        if let Err(error) = result {
            self.refuse(message, &error);
        }
    }

    fn answer_now(&self, call: &Call, message: &Message) -> Result<(), CallError> {
        match call {
            Call::Open => self.open(message)?,
            Call::Grants => self.reply(message, &self.grants(&self.caller(message)?)?),
            Call::Property(property) => self.reply(message, &value(*property)),
            Call::Properties => self.reply(message, &properties()),
            Call::Introspect => self.reply(message, &INTROSPECTION),
            _ => self.reply(message, &()),
        }
        Ok(())
    }

    fn answer_later(self: &Arc<Self>, call: Call, message: &Message) -> Result<(), CallError> {
        let caller = self.caller(message)?;
        let question = Question::begin(self, caller.uid)?;
        let (service, message) = (Arc::clone(self), message.clone());
        let busy = self.activity.begin();
        let thread = thread::Builder::new().name("question".into()).spawn(move || {
            match service.decide(&call, &caller) {
                Ok(Some(opened)) => service.reply(&message, &opened),
                Ok(None) => service.reply(&message, &()),
                Err(error) => service.refuse(&message, &error),
            }
            drop(question);
            drop(busy);
        });
        thread.map(drop).map_err(failed)
    }

    /// At our end there is no answer: ours would be a connection that ends at once, the bus's is to ask again.
    fn open(&self, message: &Message) -> Result<(), CallError> {
        if let Some(connection) = self.connect(&self.caller(message)?)? {
            self.reply(message, &zvariant::Fd::from(connection));
        }
        Ok(())
    }

    /// None at our end.
    fn connect(&self, caller: &Caller) -> Result<Option<OwnedFd>, CallError> {
        if self.grants.of(caller.uid).map_err(failed)?.is_none() {
            let text = "call SetUp, and an administrator is asked";
            return Err(CallError::new(bus::ERROR_NOT_GRANTED, text));
        }
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        match self.server.open(ours, caller.uid, self.activity.begin()) {
            Ok(()) => Ok(Some(theirs.into())),
            Err(OpenError::Ending) => Ok(None),
            Err(error @ OpenError::TooMany) => Err(CallError::new(bus::ERROR_LIMIT, error.to_string())),
            Err(error) => Err(failed(error)),
        }
    }

    fn decide(&self, call: &Call, caller: &Caller) -> Result<Option<u32>, CallError> {
        match call {
            Call::SetUp(grant) => self.set_up(caller, *grant).map(|()| None),
            Call::Revoke(uid) => self.revoke(caller, *uid).map(|()| None),
            _ => self.restore(caller).map(Some),
        }
    }

    fn set_up(&self, caller: &Caller, grant: Grant) -> Result<(), CallError> {
        self.authorize(caller, set_up_action(grant))?;
        if caller.uid == 0 {
            return Ok(()); // has everything already
        }
        let mut state = self.server.state();
        let before = state.grants.record(caller.uid, grant).map_err(failed)?;
        tracing::info!(uid = caller.uid, grant = grant.name(), "granted");
        if before > Some(grant) { self.take_back(state, caller.uid, Some(grant)) } else { Ok(()) }
    }

    fn revoke(&self, caller: &Caller, uid: u32) -> Result<(), CallError> {
        if caller.uid != uid {
            self.authorize(caller, bus::ACTION_REVOKE)?;
        }
        let mut state = self.server.state();
        if state.grants.revoke(uid).map_err(failed)?.is_none() {
            return Ok(());
        }
        tracing::info!(uid, by = caller.uid, "revoked");
        self.take_back(state, uid, None)
    }

    /// What stands on a greater grant than what is left of it, also what was kept closed. Under the lock under which
    /// the grant went, so that nothing comes into force in between.
    fn take_back(
        &self,
        mut state: MutexGuard<'_, State<F>>,
        uid: u32,
        left: Option<Grant>,
    ) -> Result<(), CallError> {
        let rules = state.rules.revoke(uid, left);
        drop(state);
        self.server.end_user(uid);
        rules.map_err(failed)
    }

    /// One's own are open before anybody is asked, and stay so whatever the answer is.
    fn restore(&self, caller: &Caller) -> Result<u32, CallError> {
        let (mine, others) = self.restore_in(Some(caller.uid))?;
        if others == 0 {
            return Ok(mine);
        }
        match self.authorize(caller, bus::ACTION_REPAIR) {
            Ok(()) => Ok(mine + self.restore_in(None)?.0),
            Err(_) if mine > 0 => Ok(mine),
            Err(denied) => Err(denied),
        }
    }

    /// How many were opened, and how many of others stay.
    fn restore_in(&self, uid: Option<u32>) -> Result<(u32, u32), CallError> {
        let mut state = self.server.state();
        let opened = state.rules.restore(uid).map_err(failed)?;
        let (_, others) = state.rules.leftovers(uid.unwrap_or(0));
        Ok((opened, others))
    }

    fn authorize(&self, caller: &Caller, action: &str) -> Result<(), CallError> {
        if caller.uid == 0 { Ok(()) } else { self.authority.check(&caller.name, action) }
    }

    /// Who else may do what is nobody's business but root's.
    fn grants(&self, caller: &Caller) -> Result<Vec<(u32, &'static str)>, CallError> {
        let sees = |uid| caller.uid == 0 || caller.uid == uid;
        let grants = self.grants.list().map_err(failed)?.filter(|(uid, _)| sees(*uid));
        Ok(grants.map(|(uid, grant)| (uid, grant.name())).collect())
    }

    fn caller(&self, message: &Message) -> Result<Caller, CallError> {
        let header = message.header();
        let name: &UniqueName = header.sender().ok_or_else(|| failed("a call without a sender"))?;
        let uid = self.authority.uid(name).map_err(failed)?;
        Ok(Caller { name: name.to_owned().into(), uid })
    }

    fn reply<B: serde::Serialize + DynamicType>(&self, call: &Message, body: &B) {
        if let Err(error) = self.connection.reply(&call.header(), body) {
            tracing::warn!(%error, "a reply could not be sent");
        }
    }

    fn refuse(&self, call: &Message, refusal: &CallError) {
        tracing::warn!(%refusal, "refused");
        if let Err(error) = self.connection.reply_error(&call.header(), refusal.name, &refusal.text) {
            tracing::warn!(%error, "a refusal could not be sent");
        }
    }
}

/// One user's place in the row.
struct Question<F> {
    service: Arc<Service<F>>,
    uid: u32,
}

impl<F> Question<F> {
    fn begin(service: &Arc<Service<F>>, uid: u32) -> Result<Self, CallError> {
        if !service.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(uid) {
            return Err(CallError::new(
                bus::ERROR_LIMIT,
                "an earlier question of this user is not answered yet",
            ));
        }
        Ok(Self { service: Arc::clone(service), uid })
    }
}

impl<F> Drop for Question<F> {
    fn drop(&mut self) {
        self.service.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uid);
    }
}

/// Each grant has its own sentence, so that nobody agrees to more than they read.
fn set_up_action(grant: Grant) -> &'static str {
    match grant {
        Grant::Own => bus::ACTION_SET_UP_OWN,
        Grant::All => bus::ACTION_SET_UP_ALL,
    }
}

fn value(property: Property) -> Value<'static> {
    match property {
        Property::Epoch => EPOCH.into(),
        Property::Revision => REVISION.into(),
        Property::Version => env!("CARGO_PKG_VERSION").into(),
    }
}

fn properties() -> HashMap<&'static str, Value<'static>> {
    [("Epoch", Property::Epoch), ("Revision", Property::Revision), ("Version", Property::Version)]
        .map(|(name, property)| (name, value(property)))
        .into()
}

/// By value, as `map_err` wants it.
#[allow(clippy::needless_pass_by_value)]
fn failed<E: ToString>(error: E) -> CallError {
    CallError::new(bus::ERROR_FAILED, error.to_string())
}
