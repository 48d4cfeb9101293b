//! Control messages of the agent.

use std::net::IpAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{
    hosts::FoundHost,
    routes::Routes,
    wire::{self, Malformed},
};

/// What the agent tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Asked for with [`Request::Routes`](crate::Request::Routes).
    Routes(Routes),
    /// Asked for with [`Request::LookUp`](crate::Request::LookUp).
    LookedUp {
        /// Of the request.
        id: u32,
        /// Empty when the hosts file has none. At most [`Report::MAX_ADDRESSES`].
        addresses: Vec<IpAddr>,
    },
    /// Some of what [`Request::WatchHosts`](crate::Request::WatchHosts) asked for; more may come at any time. At most
    /// [`Report::MAX_HOSTS`].
    Hosts(Vec<FoundHost>),
}

const ROUTES: u8 = 1;
const LOOKED_UP: u8 = 2;
const HOSTS: u8 = 3;

impl Report {
    /// Addresses of one name; nobody has as many.
    pub const MAX_ADDRESSES: usize = 256;
    /// So many fit into one control message, however long they are: 274 bytes each of 64 KiB.
    pub const MAX_HOSTS: usize = 200;

    /// Kind and content.
    pub fn encode(&self) -> (u8, Bytes) {
        let mut out = BytesMut::new();
        let kind = match self {
            Self::Routes(routes) => {
                routes.put(&mut out);
                ROUTES
            }
            Self::LookedUp { id, addresses } => {
                out.put_u32(*id);
                addresses.iter().take(Self::MAX_ADDRESSES).for_each(|ip| wire::put_ip(&mut out, *ip));
                LOOKED_UP
            }
            Self::Hosts(found) => {
                found.iter().take(Self::MAX_HOSTS).for_each(|host| host.put(&mut out));
                HOSTS
            }
        };
        (kind, out.freeze())
    }

    /// None for a kind of another time.
    pub fn decode(kind: u8, content: Bytes) -> Result<Option<Self>, Malformed> {
        let mut input = content;
        let report = match kind {
            ROUTES => Self::Routes(Routes::get(&mut input)?),
            LOOKED_UP => {
                let id = input.try_get_u32()?;
                let mut addresses = vec![];
                while input.has_remaining() && addresses.len() < Self::MAX_ADDRESSES {
                    addresses.push(wire::get_ip(&mut input)?);
                }
                Self::LookedUp { id, addresses }
            }
            HOSTS => {
                let mut found = vec![];
                while input.has_remaining() && found.len() < Self::MAX_HOSTS {
                    found.push(FoundHost::get(&mut input)?);
                }
                Self::Hosts(found)
            }
            _ => return Ok(None),
        };
        wire::end(&input)?;
        Ok(Some(report))
    }
}
