//! Names that a session wants in the system's hosts file.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::list::limited;

/// All names of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// The profile's own suffixes (`corp.example`, without a dot in front). A name with a dot is accepted only when it
    /// ends in one of them. At most [`limit::SUFFIXES`], and none of fewer than two labels.
    #[serde(deserialize_with = "limited::<_, _, { limit::SUFFIXES }>")]
    pub suffixes: Vec<String>,
    /// At most [`limit::ENTRIES`].
    #[serde(deserialize_with = "limited::<_, _, { limit::ENTRIES }>")]
    pub entries: Vec<HostEntry>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostEntry {
    pub name: String,
    pub address: IpAddr,
}

/// A name that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedHost {
    /// At most [`limit::NAME`] bytes of it.
    pub name: String,
    pub why: HostRefusal,
}

/// Why; the others are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostRefusal {
    /// Not a host name: RFC 1123 letters, digits, hyphens and dots, and at most [`limit::NAME`] bytes.
    Syntax,
    /// `localhost`, or something that means this computer, or that programs look for by themselves (`wpad`).
    Reserved,
    /// It has a dot, and none of the session's suffixes.
    Suffix,
    /// The address is outside the session's routes, or can be no host's.
    Address,
    /// The hosts file has that name already, on a line that is not ours.
    Taken,
    /// An earlier session has it with another address.
    TakenBySession,
}

/// Limits of one [`Hosts`].
pub mod limit {
    /// Names of one session: a /16 that answers everywhere would be 65 536, and a resolver reads the file line by line.
    pub const ENTRIES: usize = 10_000;
    /// RFC 1035: 255 octets on the wire are 253 characters.
    pub const NAME: usize = 253;
    /// RFC 1035.
    pub const LABEL: usize = 63;
    pub const SUFFIXES: usize = 64;
}
