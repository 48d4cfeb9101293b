//! Reads requests. By hand in two steps, because what serde derives for an enum with a tag keeps everything in between,
//! also what nobody asked for, in values of 32 bytes each: ten hostile megabytes would become half a gigabyte.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{Block, Hosts, Message, Plan, Request, SessionId, wire::Json};

/// The first step; everything else is skipped without being kept.
#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Hello,
    Load,
    Unload,
    Hold,
    Block,
    SetHosts,
    MarkSocket,
    Meter,
    OpenUdp,
    Leftovers,
    Restore,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Hello {
    epoch: u16,
    revision: u16,
    version: String,
}

#[derive(Deserialize)]
struct Load {
    session: SessionId,
    plan: Plan,
}

#[derive(Deserialize)]
struct OfSession {
    session: SessionId,
}

#[derive(Deserialize)]
struct Closes {
    session: SessionId,
    block: Block,
}

#[derive(Deserialize)]
struct SetHosts {
    session: SessionId,
    hosts: Hosts,
}

#[derive(Deserialize)]
struct Restore {
    everybody: bool,
}

impl Json for Request {
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        Ok(match serde_json::from_slice::<Tag>(bytes)?.kind {
            Kind::Hello => {
                let Hello { epoch, revision, version } = read(bytes)?;
                Self::Hello { epoch, revision, version }
            }
            Kind::Load => {
                let Load { session, plan } = read(bytes)?;
                Self::Load { session, plan }
            }
            Kind::Unload => Self::Unload { session: read::<OfSession>(bytes)?.session },
            Kind::Hold => Self::Hold { session: read::<OfSession>(bytes)?.session },
            Kind::Block => {
                let Closes { session, block } = read(bytes)?;
                Self::Block { session, block }
            }
            Kind::SetHosts => {
                let SetHosts { session, hosts } = read(bytes)?;
                Self::SetHosts { session, hosts }
            }
            Kind::MarkSocket => Self::MarkSocket,
            Kind::Meter => Self::Meter { session: read::<OfSession>(bytes)?.session },
            Kind::OpenUdp => Self::OpenUdp { session: read::<OfSession>(bytes)?.session },
            Kind::Leftovers => Self::Leftovers,
            Kind::Restore => Self::Restore { everybody: read::<Restore>(bytes)?.everybody },
            Kind::Unknown => Self::Unknown,
        })
    }
}

/// Whoever hears the helper trusts it.
impl Json for Message {
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        read(bytes)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}
