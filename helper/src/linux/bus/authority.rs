//! What the bus and polkit say about a caller. On a connection of its own, so that an answer never waits behind the
//! calls that wait for it.

use std::{collections::HashMap, time::Duration};

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
pub struct Authority(Connection);

impl Authority {
    pub fn connect() -> zbus::Result<Self> {
        connection::Builder::system()?.method_timeout(PATIENCE).build().map(Self)
    }

    /// By the bus, which knows it from the kernel.
    pub fn uid(&self, caller: &UniqueName<'_>) -> zbus::Result<u32> {
        let asked = "GetConnectionUnixUser";
        let reply = self.0.call_method(Some(BUS), BUS_PATH, Some(BUS), asked, &caller.as_str())?;
        reply.body().deserialize()
    }

    /// Blocks while a person is asked.
    pub fn check(&self, caller: &UniqueName<'_>, action: &str) -> Result<(), CallError> {
        let question = format!("ropeway {caller} {action}");
        match self.ask(caller, action, &question).and_then(|reply| reply.body().deserialize::<Verdict>()) {
            Ok((true, ..)) => Ok(()),
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

    fn take_back(&self, question: &str) {
        let _ = self.polkit("CancelCheckAuthorization", &question); // answered meanwhile, or no polkit: as good
    }

    fn polkit<B>(&self, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        self.0.call_method(Some(POLKIT), POLKIT_PATH, Some(POLKIT_INTERFACE), method, body)
    }
}

fn denied(text: impl Into<String>) -> CallError {
    CallError::new(bus::ERROR_DENIED, text)
}
