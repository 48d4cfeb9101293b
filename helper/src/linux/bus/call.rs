//! Method calls as values: what a message asks for, and how a refusal is named on the bus.

use ropeway_helper_api::{Grant, bus};
use zbus::Message;

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const UNKNOWN_PROPERTY: &str = "org.freedesktop.DBus.Error.UnknownProperty";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Open,
    SetUp(Grant),
    Grants,
    Revoke(u32),
    Restore,
    Property(Property),
    Properties,
    Introspect,
    Ping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    Epoch,
    Revision,
    Version,
}

/// A refusal, by its name on the bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {text}")]
pub struct CallError {
    pub name: &'static str,
    pub text: String,
}

impl CallError {
    pub fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

impl Call {
    /// The bus has checked that the message is well formed; what it says is checked here.
    pub fn parse(message: &Message) -> Result<Self, CallError> {
        let header = message.header();
        let interface = header.interface().map_or(bus::INTERFACE, |name| name.as_str());
        let member = header.member().map_or("", |name| name.as_str());
        let path = header.path().map_or("", |path| path.as_str());
        match (interface, member) {
            (PEER, "Ping") => Ok(Self::Ping),
            _ if path != bus::PATH => Err(unknown(interface, member)),
            (bus::INTERFACE, bus::OPEN) => arguments(message).map(|()| Self::Open),
            (bus::INTERFACE, bus::SET_UP) => {
                arguments::<(String,)>(message).and_then(|(name,)| set_up(&name))
            }
            (bus::INTERFACE, bus::GRANTS) => arguments(message).map(|()| Self::Grants),
            (bus::INTERFACE, bus::REVOKE) => arguments(message).map(|(uid,)| Self::Revoke(uid)),
            (bus::INTERFACE, bus::RESTORE) => arguments(message).map(|()| Self::Restore),
            (PROPERTIES, "Get") => {
                arguments::<(String, String)>(message).and_then(|(_, name)| property(&name))
            }
            (PROPERTIES, "GetAll") => arguments::<(String,)>(message).map(|_| Self::Properties),
            (INTROSPECTABLE, "Introspect") => Ok(Self::Introspect),
            _ => Err(unknown(interface, member)),
        }
    }
}

/// With the signature checked: a call with other arguments is another call.
fn arguments<T>(message: &Message) -> Result<T, CallError>
where
    T: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
{
    message.body().deserialize().map_err(|e| CallError::new(bus::ERROR_INVALID, e.to_string()))
}

fn set_up(name: &str) -> Result<Call, CallError> {
    let grant = Grant::named(name);
    grant.map(Call::SetUp).ok_or_else(|| CallError::new(bus::ERROR_INVALID, "a grant is \"own\" or \"all\""))
}

fn property(name: &str) -> Result<Call, CallError> {
    match name {
        "Epoch" => Ok(Call::Property(Property::Epoch)),
        "Revision" => Ok(Call::Property(Property::Revision)),
        "Version" => Ok(Call::Property(Property::Version)),
        _ => Err(CallError::new(UNKNOWN_PROPERTY, "no such property")),
    }
}

fn unknown(interface: &str, member: &str) -> CallError {
    CallError::new(UNKNOWN_METHOD, format!("no method {member} of {interface} here"))
}
