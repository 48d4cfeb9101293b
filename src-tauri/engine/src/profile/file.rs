//! The text of a profile file, format 1:
//!
//! ```toml
//! format = 1
//! name = "Work"
//! server = "me@bastion.example.org"
//! subnets = ["10.0.0.0/8"]
//! excludes = ["10.9.0.0/16"]
//!
//! [names]
//! dns = true
//! domains = ["corp.example"]
//!
//! [reach]
//! auto-nets = true
//! ```
//!
//! Read with types; written by changing only what changed, so that comments and keys of other versions stay.
//! Pure text: `store` knows where files are, `import` takes the same format from elsewhere.

mod write;

use std::ops::Range;

use serde::Deserialize;
use toml::{Table, Value};

use crate::api::{Names, Profile, ProfileId, Reach, WhileDown};

pub use write::write;

/// The only format there is.
pub const FORMAT: i64 = 1;

/// What this version knows; everything else in a file is kept and not looked at.
pub const KEYS: [&str; 11] = [
    "format",
    "name",
    "server",
    "ssh-command",
    "subnets",
    "excludes",
    "capture",
    "while-down",
    "latency",
    "names",
    "reach",
];

/// Why a text is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("line {line}: {message}")]
    Toml { line: usize, message: String },
    #[error("the line “format = {FORMAT}” is missing")]
    NoFormat,
    #[error(
        "it is written in format {0}; this version of Ropeway reads format {FORMAT}. A newer one may read it"
    )]
    OtherFormat(String),
}

/// The keys of one profile, as the file has them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    name: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    ssh_command: String,
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default)]
    capture: String,
    #[serde(default)]
    while_down: WhileDown,
    #[serde(default, deserialize_with = "number_or_word")]
    latency: String,
    #[serde(default)]
    names: NamesEntry,
    #[serde(default)]
    reach: ReachEntry,
}

/// The table `[names]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct NamesEntry {
    dns: bool,
    domains: Vec<String>,
    name_servers: Vec<String>,
    ns_hosts: Vec<String>,
    auto_hosts: bool,
    seed_hosts: Vec<String>,
    suffix: String,
}

/// The table `[reach]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ReachEntry {
    auto_nets: bool,
    local_networks: bool,
    udp: bool,
    share: Vec<String>,
}

impl Entry {
    pub fn into_profile(self, id: ProfileId) -> Profile {
        Profile {
            id,
            name: self.name,
            server: self.server,
            ssh_command: self.ssh_command,
            subnets: self.subnets,
            excludes: self.excludes,
            capture: self.capture,
            while_down: self.while_down,
            latency: self.latency,
            names: self.names.into(),
            reach: self.reach.into(),
            built_in: false,
        }
    }
}

impl From<NamesEntry> for Names {
    fn from(entry: NamesEntry) -> Self {
        let NamesEntry { dns, domains, name_servers, ns_hosts, auto_hosts, seed_hosts, suffix } = entry;
        Self { dns, domains, name_servers, ns_hosts, auto_hosts, seed_hosts, suffix }
    }
}

impl From<ReachEntry> for Reach {
    fn from(ReachEntry { auto_nets, local_networks, udp, share }: ReachEntry) -> Self {
        Self { auto_nets, local_networks, udp, share }
    }
}

/// `65536` or `"unlimited"`, as typed.
fn number_or_word<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number or a word")]
    enum Either {
        Number(i64),
        Word(String),
    }
    Ok(match Either::deserialize(value)? {
        Either::Number(number) => number.to_string(),
        Either::Word(word) => word,
    })
}

/// Reads a file of one profile.
pub fn read(text: &str, id: ProfileId) -> Result<Profile, FileError> {
    check_format(text)?;
    typed::<Entry>(text).map(|entry| entry.into_profile(id))
}

/// First of all: another format may have other types.
pub fn check_format(text: &str) -> Result<(), FileError> {
    let table: Table = typed(text)?;
    match table.get("format") {
        Some(Value::Integer(FORMAT)) => Ok(()),
        Some(other) => Err(FileError::OtherFormat(other.to_string())),
        None => Err(FileError::NoFormat),
    }
}

/// Reads TOML; mistakes come with their line.
pub fn typed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| FileError::Toml {
        line: line(text, error.span()),
        message: error.message().replace('\n', " "),
    })
}

fn line(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests;
