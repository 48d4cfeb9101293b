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
    /// Names of computers near the server, from now on; told with [`Report::Hosts`](crate::Report::Hosts), also again
    /// when they are seen again. A second one replaces the first.
    WatchHosts {
        /// Names to look for. At most [`Request::MAX_SEEDS`], of at most 255 bytes.
        seeds: Vec<String>,
        /// Look around, too.
        auto: bool,
    },
}

const ROUTES: u8 = 1;
const LOOK_UP: u8 = 2;
const WATCH_HOSTS: u8 = 3;

impl Request {
    /// So many fit into one control message, however long they are: 256 bytes each of 64 KiB.
    pub const MAX_SEEDS: usize = 250;

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
            Self::WatchHosts { seeds, auto } => {
                out.put_u8((*auto).into());
                seeds.iter().take(Self::MAX_SEEDS).for_each(|seed| wire::put_text(&mut out, seed));
                WATCH_HOSTS
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
            WATCH_HOSTS => {
                let auto = input.try_get_u8()? != 0;
                let mut seeds = vec![];
                while input.has_remaining() && seeds.len() < Self::MAX_SEEDS {
                    seeds.push(wire::get_text(&mut input)?);
                }
                Self::WatchHosts { seeds, auto }
            }
            _ => return Ok(None),
        };
        wire::end(&input)?;
        Ok(Some(request))
    }
}
