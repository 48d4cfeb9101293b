//! The frames: their kinds, fields and encoding. The page `docs/wire.md` explains them and must change with this file.
//!
//! Every frame is `kind: u8, length: varint, body`. Kinds below 0x80 are numbered: their bytes count in
//! acknowledgements. This file knows one frame at a time; [`crate::decoder`] finds them in a stream of bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use crate::{Error, Latency, Reason, handshake::Hello, out::Out};

/// Most bytes of one DATA frame. What a small frame may have to wait behind is bounded by the link's rate (`flight`); this
/// bounds what one read or write of a socket moves: at 16 KiB two thirds of a fast tunnel's time are system calls.
pub(crate) const MAX_DATA: usize = 64 << 10;

/// The same for a peer of revision 0.
pub(crate) const MAX_DATA_BEFORE: usize = 16 << 10;

/// Most bytes of one datagram: the largest UDP payload (65507) and 29 bytes to say where it goes.
pub(crate) const MAX_DATAGRAM: usize = 64 << 10;

/// Most bytes of one control message; a longer list is sent as several.
pub(crate) const MAX_CONTROL: usize = 64 << 10;

/// A frame's head: kind, and a length of at most three bytes.
pub(crate) const MAX_HEAD: usize = 4;

const MAX_U32: usize = 5;
const MAX_U64: usize = 10;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Open = 0x01,
    Opened = 0x02,
    Refused = 0x03,
    Data = 0x04,
    Eof = 0x05,
    Reset = 0x06,
    Window = 0x07,
    Datagram = 0x08,
    Control = 0x09,
    Hello = 0x80,
    Ack = 0x81,
    Ping = 0x82,
    Pong = 0x83,
}

impl Kind {
    pub(crate) fn from_code(code: u8) -> Result<Self, Error> {
        Ok(match code {
            0x01 => Self::Open,
            0x02 => Self::Opened,
            0x03 => Self::Refused,
            0x04 => Self::Data,
            0x05 => Self::Eof,
            0x06 => Self::Reset,
            0x07 => Self::Window,
            0x08 => Self::Datagram,
            0x09 => Self::Control,
            0x80 => Self::Hello,
            0x81 => Self::Ack,
            0x82 => Self::Ping,
            0x83 => Self::Pong,
            _ => return Err(Error::UnknownKind(code)),
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Opened => "OPENED",
            Self::Refused => "REFUSED",
            Self::Data => "DATA",
            Self::Eof => "EOF",
            Self::Reset => "RESET",
            Self::Window => "WINDOW",
            Self::Datagram => "DATAGRAM",
            Self::Control => "CONTROL",
            Self::Hello => "HELLO",
            Self::Ack => "ACK",
            Self::Ping => "PING",
            Self::Pong => "PONG",
        }
    }

    /// Most bytes of the body.
    pub(crate) fn longest(self) -> usize {
        match self {
            Self::Open => MAX_U32 + MAX_U64 + 1 + 16 + 2,
            Self::Opened | Self::Window => MAX_U32 + MAX_U64,
            Self::Refused | Self::Reset => MAX_U32 + 1,
            Self::Data => MAX_U32 + MAX_DATA,
            Self::Eof => MAX_U32,
            Self::Datagram => MAX_U32 + MAX_DATAGRAM,
            Self::Control => 1 + MAX_CONTROL,
            // Four fields of today and room for those of a later revision.
            Self::Hello => 64,
            Self::Ack => MAX_U64 + 4,
            Self::Ping | Self::Pong => 4,
        }
    }

    /// Whether the bytes of such a frame count in acknowledgements.
    pub(crate) fn is_numbered(self) -> bool {
        (self as u8) < 0x80
    }
}

/// One frame, except DATA, which is passed on in the pieces in which it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Open { id: u32, limit: u64, target: SocketAddr },
    Opened { id: u32, limit: u64 },
    Refused { id: u32, reason: Reason },
    Eof { id: u32 },
    Reset { id: u32, reason: Reason },
    Window { id: u32, limit: u64 },
    Datagram { flow: u32, data: Bytes },
    Control { kind: u8, data: Bytes },
    Hello(Hello),
    Ack { received: u64, at: u32 },
    Ping { token: u32 },
    Pong { token: u32 },
}

impl Frame {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Open { .. } => Kind::Open,
            Self::Opened { .. } => Kind::Opened,
            Self::Refused { .. } => Kind::Refused,
            Self::Eof { .. } => Kind::Eof,
            Self::Reset { .. } => Kind::Reset,
            Self::Window { .. } => Kind::Window,
            Self::Datagram { .. } => Kind::Datagram,
            Self::Control { .. } => Kind::Control,
            Self::Hello(_) => Kind::Hello,
            Self::Ack { .. } => Kind::Ack,
            Self::Ping { .. } => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
        }
    }

    /// Append the frame; how many bytes it has, carried over or not.
    pub(crate) fn encode(&self, out: &mut Out) -> usize {
        let mut fields = Fields::new();
        match self {
            Self::Open { id, limit, target } => fields.u32(*id).u64(*limit).address(*target),
            Self::Opened { id, limit } | Self::Window { id, limit } => fields.u32(*id).u64(*limit),
            Self::Refused { id, reason } | Self::Reset { id, reason } => fields.u32(*id).byte(reason.code()),
            Self::Eof { id } => fields.u32(*id),
            Self::Datagram { flow, .. } => fields.u32(*flow),
            Self::Control { kind, .. } => fields.byte(*kind),
            Self::Hello(hello) => {
                fields.u32(hello.epoch).u32(hello.revision).u64(hello.capabilities).u32(hello.latency.code())
            }
            Self::Ack { received, at } => fields.u64(*received).bytes(&at.to_be_bytes()),
            Self::Ping { token } | Self::Pong { token } => fields.bytes(&token.to_be_bytes()),
        };
        let payload = match self {
            Self::Datagram { data, .. } | Self::Control { data, .. } => data.as_ref(),
            _ => &[],
        };
        put(out, self.kind(), fields.as_slice(), payload)
    }

    /// The frame of `kind` with this body. DATA has no frame of its own: see [`data_stream`].
    pub(crate) fn decode(kind: Kind, body: &[u8]) -> Result<Self, Error> {
        let mut body = Body { kind, rest: body };
        let frame = match kind {
            Kind::Open => Self::Open { id: body.u32()?, limit: body.varint()?, target: body.address()? },
            Kind::Opened => Self::Opened { id: body.u32()?, limit: body.varint()? },
            Kind::Refused => Self::Refused { id: body.u32()?, reason: body.reason()? },
            Kind::Eof => Self::Eof { id: body.u32()? },
            Kind::Reset => Self::Reset { id: body.u32()?, reason: body.reason()? },
            Kind::Window => Self::Window { id: body.u32()?, limit: body.varint()? },
            Kind::Datagram => Self::Datagram { flow: body.u32()?, data: body.remaining() },
            Kind::Control => Self::Control { kind: body.byte()?, data: body.remaining() },
            Kind::Hello => Self::Hello(body.hello()?),
            Kind::Ack => Self::Ack { received: body.varint()?, at: u32::from_be_bytes(body.array()?) },
            Kind::Ping => Self::Ping { token: u32::from_be_bytes(body.array()?) },
            Kind::Pong => Self::Pong { token: u32::from_be_bytes(body.array()?) },
            Kind::Data => return Err(Error::Unexpected(kind.name())),
        };
        if body.rest.is_empty() { Ok(frame) } else { Err(body.malformed()) }
    }
}

/// Write a DATA frame in place: `read` puts the payload, at most `most` bytes, where it belongs. Returns what it says and
/// how many bytes the frame has: none when it read nothing, or when there is no room for a payload of `least`.
pub(crate) fn put_data<T>(
    out: &mut Out,
    id: u32,
    (least, most): (usize, usize),
    read: impl FnOnce(&mut [u8]) -> (usize, T),
) -> Option<(usize, T)> {
    let space = out.free();
    let front = data_head(id, most).length;
    let most = most.min(space.len().saturating_sub(front));
    if most < least.max(1) {
        return None;
    }
    // The head is as long as the payload makes it, and the payload is known when it is read.
    let front = data_head(id, most).length;
    let (count, result) = read(&mut space[front..front + most]);
    if count == 0 {
        return Some((0, result));
    }
    let head = data_head(id, count);
    if head.length < front {
        space.copy_within(front..front + count, head.length);
    }
    space[..head.length].copy_from_slice(head.as_slice());
    out.advance(head.length + count);
    Some((head.length + count, result))
}

/// Kind, length and stream of a DATA frame.
fn data_head(id: u32, payload: usize) -> Fields {
    let mut stream = Fields::new();
    stream.u32(id);
    let mut head = Fields::new();
    head.byte(Kind::Data as u8).u64((stream.length + payload) as u64).bytes(stream.as_slice());
    head
}

/// The stream of a DATA frame and how many bytes of the body name it; `None` while the body is too short to tell.
pub(crate) fn data_stream(body: &[u8]) -> Result<Option<(u32, usize)>, Error> {
    match read_varint(body, MAX_U32) {
        Varint::Value(id, size) => match u32::try_from(id) {
            Ok(id) => Ok(Some((id, size))),
            Err(_) => Err(Error::Malformed(Kind::Data.name())),
        },
        Varint::Short => Ok(None),
        Varint::Bad => Err(Error::Malformed(Kind::Data.name())),
    }
}

/// The kind of a frame, the length of its body and of the head itself; `None` while too few bytes are there to tell.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<(Kind, usize, usize)>, Error> {
    let Some((&code, rest)) = bytes.split_first() else { return Ok(None) };
    let kind = Kind::from_code(code)?;
    match read_varint(rest, MAX_HEAD - 1) {
        Varint::Value(length, size) if length <= kind.longest() as u64 => {
            Ok(Some((kind, length as usize, size + 1)))
        }
        Varint::Short => Ok(None),
        Varint::Value(..) | Varint::Bad => Err(Error::TooLong { frame: kind.name() }),
    }
}

fn put(out: &mut Out, kind: Kind, fields: &[u8], payload: &[u8]) -> usize {
    let body = fields.len() + payload.len();
    debug_assert!(body <= kind.longest(), "the peer would take a longer frame for an error");
    let mut head = Fields::new();
    head.byte(kind as u8).u64(body as u64);
    out.put(head.as_slice());
    out.put(fields);
    out.put(payload);
    head.length + body
}

/// The fields of a frame on their way out, without an allocation.
struct Fields {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl Fields {
    /// OPEN has the longest: 34 bytes.
    const SIZE: usize = 40;

    fn new() -> Self {
        Self { bytes: [0; Self::SIZE], length: 0 }
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.u64(u64::from(value))
    }

    /// Seven bits a byte, the lowest first, the top bit set on all but the last.
    fn u64(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8)
    }

    fn byte(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes[self.length..self.length + value.len()].copy_from_slice(value);
        self.length += value.len();
        self
    }

    fn address(&mut self, target: SocketAddr) -> &mut Self {
        match target.ip() {
            IpAddr::V4(ip) => self.byte(4).bytes(&ip.octets()),
            IpAddr::V6(ip) => self.byte(6).bytes(&ip.octets()),
        };
        self.bytes(&target.port().to_be_bytes())
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The fields of a frame on their way in.
struct Body<'a> {
    kind: Kind,
    rest: &'a [u8],
}

impl Body<'_> {
    fn u32(&mut self) -> Result<u32, Error> {
        u32::try_from(self.varint()?).map_err(|_| self.malformed())
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let Varint::Value(value, size) = read_varint(self.rest, MAX_U64) else {
            return Err(self.malformed());
        };
        self.rest = &self.rest[size..];
        Ok(value)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.malformed())?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn remaining(&mut self) -> Bytes {
        Bytes::copy_from_slice(std::mem::take(&mut self.rest))
    }

    fn reason(&mut self) -> Result<Reason, Error> {
        Ok(Reason::from_code(self.byte()?))
    }

    fn address(&mut self) -> Result<SocketAddr, Error> {
        let ip = match self.byte()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(self.malformed()),
        };
        Ok(SocketAddr::new(ip, u16::from_be_bytes(self.array()?)))
    }

    /// Revision 0 ends before `latency`. What follows the known fields belongs to a later revision and is passed over.
    fn hello(&mut self) -> Result<Hello, Error> {
        let (epoch, revision, capabilities) = (self.u32()?, self.u32()?, self.varint()?);
        let latency = if self.rest.is_empty() { 0 } else { self.u32()? };
        self.rest = &[];
        Ok(Hello { epoch, revision, capabilities, latency: Latency::from_code(latency) })
    }

    fn malformed(&self) -> Error {
        Error::Malformed(self.kind.name())
    }
}

enum Varint {
    Value(u64, usize),
    Short,
    Bad,
}

/// A number of at most `longest` bytes. Each number has one spelling: a needless last byte of zero is an error.
fn read_varint(bytes: &[u8], longest: usize) -> Varint {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(longest).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if (bits << shift) >> shift != bits || (byte == 0 && index > 0) {
            return Varint::Bad;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Varint::Value(value, index + 1);
        }
    }
    if bytes.len() < longest { Varint::Short } else { Varint::Bad }
}

impl Reason {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::Refused => 1,
            Self::HostUnreachable => 2,
            Self::NetworkUnreachable => 3,
            Self::TimedOut => 4,
            Self::Prohibited => 5,
            Self::Exhausted => 6,
            Self::Reset => 7,
        }
    }

    /// A reason that a later revision knows is still a failure.
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Refused,
            2 => Self::HostUnreachable,
            3 => Self::NetworkUnreachable,
            4 => Self::TimedOut,
            5 => Self::Prohibited,
            6 => Self::Exhausted,
            7 => Self::Reset,
            _ => Self::Failed,
        }
    }
}
