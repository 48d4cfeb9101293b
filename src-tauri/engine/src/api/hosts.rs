use serde::{Deserialize, Serialize};

use super::ProfileId;

/// A name that was found near a server, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// Unique in this engine's life.
    #[cfg_attr(test, ts(type = "number"))]
    pub id: u64,
    pub profile: ProfileId,
    /// As programs here use it: short, or with the profile's suffix.
    pub name: String,
    /// As it was found.
    pub found: String,
    pub address: String,
    pub source: HostSource,
    /// When it was last seen, in milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub seen: u64,
    pub state: HostState,
}

/// Where a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum HostSource {
    /// The server's hosts file.
    HostsFile,
    /// The profile asks for it.
    Seed,
    /// Name servers know the address of a computer near the server.
    ReverseDns,
    /// The computer told its own name.
    Netbios,
    /// An earlier connection found it, and this one not yet.
    Cache,
}

/// Whether this computer's hosts file has a name, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum HostState {
    /// In a moment.
    Waiting,
    InForce,
    /// The name has another address of this kind, which was found first or in a better place.
    OtherAddress,
    /// It cannot be a host's name.
    Syntax,
    /// It means this computer, or programs look for it by themselves.
    Reserved,
    /// It has a dot, and not the profile's suffix.
    Suffix,
    /// The address is in none of the profile's networks.
    Outside,
    /// The hosts file has the name already.
    Taken,
    /// Another profile that is connected has the name, with another address.
    OtherProfile,
    /// An administrator allowed this user their own traffic, and no names.
    NotAllowed,
    /// The hosts file could not be changed.
    Failed,
}

/// What changed since the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HostsDelta {
    /// Forget all rows first: this is the first of a subscription.
    pub snapshot: bool,
    pub changed: Vec<HostRow>,
    #[cfg_attr(test, ts(type = "number[]"))]
    pub gone: Vec<u64>,
}
