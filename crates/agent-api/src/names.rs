//! Questions to name servers, as datagrams.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::wire::{self, Malformed};

/// How a question is asked (RFC 1035, 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// An answer may be cut off, and says so.
    Udp,
    /// For what was cut off.
    Tcp,
}

/// To be asked on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Comes back with the answer; the engine's own, not the one inside the message.
    pub id: u32,
    /// How.
    pub over: Transport,
    /// Whom; None for the server's own name servers.
    pub to: Option<SocketAddr>,
    /// A DNS message, whole and untouched.
    pub message: Bytes,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Of the question.
    pub id: u32,
    /// A DNS message, whole and untouched.
    pub message: Result<Bytes, NoAnswer>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoAnswer {
    /// Nobody answered in time.
    Silence,
    /// The server knows no name server.
    NoServer,
    /// They cannot be reached, or the server has no descriptor left.
    Failed,
}

/// Bit of the first byte behind the id.
const TCP: u8 = 1;
const TO: u8 = 2;

impl Question {
    /// As a datagram.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + 1 + 19 + self.message.len());
        out.put_u32(self.id);
        out.put_u8(
            if self.over == Transport::Tcp { TCP } else { 0 } | if self.to.is_some() { TO } else { 0 },
        );
        self.to.into_iter().for_each(|to| wire::put_socket(&mut out, to));
        out.put_slice(&self.message);
        out.freeze()
    }

    /// From a datagram.
    pub fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let id = bytes.try_get_u32()?;
        let flags = bytes.try_get_u8()?;
        if flags & !(TCP | TO) != 0 {
            return Err(Malformed);
        }
        let over = if flags & TCP == 0 { Transport::Udp } else { Transport::Tcp };
        let to = if flags & TO == 0 { None } else { Some(wire::get_socket(&mut bytes)?) };
        Ok(Self { id, over, to, message: bytes })
    }
}

impl Answer {
    /// As a datagram.
    pub fn encode(&self) -> Bytes {
        let message = self.message.as_ref().map_or(&[][..], |message| message);
        let mut out = BytesMut::with_capacity(4 + 1 + message.len());
        out.put_u32(self.id);
        out.put_u8(match self.message {
            Ok(_) => 0,
            Err(NoAnswer::Silence) => 1,
            Err(NoAnswer::NoServer) => 2,
            Err(NoAnswer::Failed) => 3,
        });
        out.put_slice(message);
        out.freeze()
    }

    /// From a datagram.
    pub fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let id = bytes.try_get_u32()?;
        let message = match bytes.try_get_u8()? {
            0 => Ok(bytes),
            1 => Err(NoAnswer::Silence),
            2 => Err(NoAnswer::NoServer),
            3 => Err(NoAnswer::Failed),
            _ => return Err(Malformed),
        };
        Ok(Self { id, message })
    }
}
