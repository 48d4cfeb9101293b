//! Names of computers near the server.

use std::net::IpAddr;

use bytes::{Buf, BufMut, BytesMut};

use crate::wire::{self, Malformed};

/// A name that was found, and its address. One of several addresses is a message's entry of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FoundHost {
    /// As it was found, in small letters, without a dot behind. At most 255 bytes.
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
    /// Where.
    pub source: Source,
}

/// Where a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The server's hosts file.
    HostsFile,
    /// It was asked for by name.
    Seed,
    /// The address of a neighbour or a peer was asked for its name.
    ReverseDns,
    /// A neighbour told its own.
    NetBios,
    /// An earlier visit found it, and this one not yet.
    Cache,
}

impl FoundHost {
    pub(crate) fn put(&self, out: &mut BytesMut) {
        out.put_u8(match self.source {
            Source::HostsFile => 1,
            Source::Seed => 2,
            Source::ReverseDns => 3,
            Source::NetBios => 4,
            Source::Cache => 5,
        });
        wire::put_ip(out, self.address);
        wire::put_text(out, &self.name);
    }

    pub(crate) fn get(input: &mut impl Buf) -> Result<Self, Malformed> {
        let source = match input.try_get_u8()? {
            1 => Source::HostsFile,
            2 => Source::Seed,
            3 => Source::ReverseDns,
            4 => Source::NetBios,
            5 => Source::Cache,
            _ => return Err(Malformed),
        };
        Ok(Self { source, address: wire::get_ip(input)?, name: wire::get_text(input)? })
    }
}
