//! Datagrams of programs, and echo requests.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::wire::{self, Malformed};

/// To or from somebody beyond the server. Those of one id leave the server from one address and port, so that whoever answers
/// knows them for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Stands for the program's own address and port; the engine's choice, all of one family.
    pub id: u32,
    /// Whom it goes to, or who has answered. Of an echo the port is the sequence number.
    pub remote: SocketAddr,
    /// What is said; from the agent also that it did not arrive.
    pub payload: Result<Bytes, Undelivered>,
}

/// Why a datagram did not arrive, as ICMP has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Undelivered {
    /// Nobody listens on that port.
    Refused,
    /// No way to that host or network.
    Unreachable,
    /// The server forbids it.
    Prohibited,
}

impl Datagram {
    /// Bytes before the payload, at most: id, kind, address and port. With the largest payload of UDP (65 507) that is less than
    /// a datagram of the mux may have.
    pub const HEAD: usize = 4 + 1 + 19;

    /// As a datagram of the mux.
    pub fn encode(&self) -> Bytes {
        let payload = self.payload.as_ref().map_or(&[][..], |payload| payload);
        let mut out = BytesMut::with_capacity(Self::HEAD + payload.len());
        out.put_u32(self.id);
        out.put_u8(match self.payload {
            Ok(_) => 0,
            Err(Undelivered::Refused) => 1,
            Err(Undelivered::Unreachable) => 2,
            Err(Undelivered::Prohibited) => 3,
        });
        wire::put_socket(&mut out, self.remote);
        out.put_slice(payload);
        out.freeze()
    }

    /// From a datagram of the mux.
    pub fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let id = bytes.try_get_u32()?;
        let kind = bytes.try_get_u8()?;
        let remote = wire::get_socket(&mut bytes)?;
        let payload = match kind {
            0 => Ok(bytes),
            1 => Err(Undelivered::Refused),
            2 => Err(Undelivered::Unreachable),
            3 => Err(Undelivered::Prohibited),
            _ => return Err(Malformed),
        };
        Ok(Self { id, remote, payload })
    }
}
