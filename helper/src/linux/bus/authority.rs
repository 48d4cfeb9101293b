//! What the bus and polkit say about a caller. On a connection of its own, so that an answer never waits behind the
//! calls that wait for it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ropeway_helper_api::bus;
use zbus::{
    Message,
    blocking::{Connection, connection},
    names::UniqueName,
    zvariant::Value,
};

use super::call::CallError;

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
const POLKIT: &str = "org.freedesktop.PolicyKit1";
const POLKIT_PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const POLKIT_INTERFACE: &str = "org.freedesktop.PolicyKit1.Authority";

/// `AllowUserInteraction` of `CheckAuthorization`.
const ASK_THE_USER: u32 = 1;

/// How long a person may take with a password; then the question is taken back.
const PATIENCE: Duration = Duration::from_mins(5);

/// `(is_authorized, is_challenge, details)`.
type Verdict = (bool, bool, HashMap<String, String>);

#[derive(Clone)]
pub struct Authority {
    bus: Connection,
    asked: Arc<Mutex<Asked>>,
}

/// What polkit is being asked.
#[derive(Default)]
struct Asked {
    over: bool,
    questions: BTreeSet<String>,
}

impl Authority {
    pub fn connect() -> zbus::Result<Self> {
        let bus = connection::Builder::system()?.method_timeout(PATIENCE).build()?;
        Ok(Self { bus, asked: Arc::default() })
    }

    /// Takes all questions back, and asks no more: a person who does not answer must not hold up a newer helper.
    pub fn end(&self) {
        let questions = {
            let mut asked = self.asked();
            asked.over = true;
            asked.questions.clone()
        };
        for question in &questions {
            self.take_back(question);
        }
    }

    /// By the bus, which knows it from the kernel.
    pub fn uid(&self, caller: &UniqueName<'_>) -> zbus::Result<u32> {
        let asked = "GetConnectionUnixUser";
        let reply = self.bus.call_method(Some(BUS), BUS_PATH, Some(BUS), asked, &caller.as_str())?;
        reply.body().deserialize()
    }

    /// Blocks while a person is asked.
    pub fn check(&self, caller: &UniqueName<'_>, action: &str) -> Result<(), CallError> {
        let question = format!("ropeway {caller} {action}");
        self.begin(&question)?;
        let reply = self.ask(caller, action, &question);
        let over = self.finish(&question);
        match reply.and_then(|reply| reply.body().deserialize::<Verdict>()) {
            Ok((true, ..)) => Ok(()),
            _ if over => Err(ending()),
            Ok(_) => Err(denied("polkit does not allow it")),
            Err(error) => {
                self.take_back(&question);
                Err(denied(format!("polkit does not answer: {error}")))
            }
        }
    }

    fn ask(&self, caller: &UniqueName<'_>, action: &str, question: &str) -> zbus::Result<Message> {
        let subject = ("system-bus-name", HashMap::from([("name", Value::from(caller.as_str()))]));
        let details = HashMap::<&str, &str>::new();
        self.polkit("CheckAuthorization", &(subject, action, details, ASK_THE_USER, question))
    }

    fn begin(&self, question: &str) -> Result<(), CallError> {
        let mut asked = self.asked();
        if asked.over {
            return Err(ending());
        }
        asked.questions.insert(question.to_owned());
        Ok(())
    }

    /// Whether all questions were taken back meanwhile.
    fn finish(&self, question: &str) -> bool {
        let mut asked = self.asked();
        asked.questions.remove(question);
        asked.over
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_back(&self, question: &str) {
        let _ = self.polkit("CancelCheckAuthorization", &question); // answered meanwhile, or no polkit: as good
    }

    fn polkit<B>(&self, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        self.bus.call_method(Some(POLKIT), POLKIT_PATH, Some(POLKIT_INTERFACE), method, body)
    }
}

fn ending() -> CallError {
    CallError::new(bus::ERROR_FAILED, "a newer helper takes over: ask again")
}

fn denied(text: impl Into<String>) -> CallError {
    CallError::new(bus::ERROR_DENIED, text)
}
