//! Names that a session wants in the system's hosts file.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::list::limited;

/// All names of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// The profile's own suffixes (`corp.example`, without a dot in front). A name with a dot is accepted only when it
    /// ends in one of them. At most [`limit::SUFFIXES`], and each one that [`is_suffix`] allows.
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
    /// Another address of the name may be in force.
    pub address: IpAddr,
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

/// RFC 1123, section 2.1. No name that a program could read as an address: its last label is no number.
pub fn is_host_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    (1..=limit::NAME).contains(&name.len()) && name.split('.').all(is_label) && !is_number(last)
}

/// Whether a profile may have all names that end in this: not what ends everybody's names.
pub fn is_suffix(suffix: &str) -> bool {
    is_host_name(suffix) && (suffix.contains('.') || !is_public(&suffix.to_ascii_lowercase()))
}

/// The domains of countries, and those that RFC 1591 names or that came soon after. A list of all would be as long as it
/// would be old; of the others (`work`, `lan`) whoever wrote the profile knows what they mean there.
fn is_public(label: &str) -> bool {
    const PUBLIC: [&str; 12] =
        ["com", "net", "org", "edu", "gov", "mil", "int", "arpa", "info", "biz", "name", "pro"];
    label.len() <= 2 || PUBLIC.contains(&label)
}

fn is_label(label: &str) -> bool {
    (1..=limit::LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// As `inet_aton` reads numbers.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or(label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit()) || hex.is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
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
