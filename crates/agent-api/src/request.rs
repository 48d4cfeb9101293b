//! Control messages of the engine.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::wire::{self, Malformed};

/// What the engine asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The server's routing table; answered with [`Report::Routes`](crate::Report::Routes).
    Routes,
    /// The addresses that the server's hosts file has for a name; answered with
    /// [`Report::LookedUp`](crate::Report::LookedUp).
    LookUp {
        /// Comes back with the answer.
        id: u32,
        /// At most 255 bytes.
        name: String,
    },
}

const ROUTES: u8 = 1;
const LOOK_UP: u8 = 2;

impl Request {
    /// Kind and content.
    pub fn encode(&self) -> (u8, Bytes) {
        let mut out = BytesMut::new();
        let kind = match self {
            Self::Routes => ROUTES,
            Self::LookUp { id, name } => {
                out.put_u32(*id);
                wire::put_text(&mut out, name);
                LOOK_UP
            }
        };
        (kind, out.freeze())
    }

    /// None for a kind of another time.
    pub fn decode(kind: u8, content: Bytes) -> Result<Option<Self>, Malformed> {
        let mut input = content;
        let request = match kind {
            ROUTES => Self::Routes,
            LOOK_UP => Self::LookUp { id: input.try_get_u32()?, name: wire::get_text(&mut input)? },
            _ => return Ok(None),
        };
        wire::end(&input)?;
        Ok(Some(request))
    }
}
