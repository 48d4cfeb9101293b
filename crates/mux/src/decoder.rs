//! Finds frames in a stream of bytes that comes in any pieces, and counts the numbered ones.
//!
//! DATA is passed on in the pieces in which it arrives and never gathered; every other frame is short or rare, and its
//! beginning waits in `partial` for its end.

use crate::{
    Error,
    frame::{self, Frame, Kind},
};

/// Something whole enough to act on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Frame(Frame),
    Data { id: u32, bytes: &'a [u8] },
}

/// The reading position in the peer's bytes.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// The stream of the DATA frame that is arriving, and how much of it is to come.
    data: Option<(u32, usize)>,
    received: u64,
    whole: u64,
}

/// How much of a frame has to be there before it can be acted on.
enum Need {
    /// Not known before the next byte.
    Byte,
    /// So many bytes of a frame with a head of `head` bytes.
    Whole { kind: Kind, head: usize, end: usize },
    /// The bytes in front of the payload of a DATA frame.
    Data { id: u32, front: usize, payload: usize },
}

impl Decoder {
    /// The next piece of `input`, which is moved on; `None` when it is used up.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Error> {
        if self.data.is_none() {
            let frame = if self.partial.is_empty() { self.direct(input)? } else { self.gather(input)? };
            if frame.is_some() {
                self.whole = self.received;
                return Ok(frame.map(Piece::Frame));
            }
        }
        let piece = self.payload(input);
        if piece.is_some() && self.data.is_none() {
            self.whole = self.received;
        }
        Ok(piece)
    }

    /// Numbered bytes read, those of unfinished frames included.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Numbered bytes of the frames that have ended.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    /// A frame that starts and ends in `input`; what only starts there is kept.
    fn direct(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Error> {
        match need(input)? {
            Need::Whole { kind, head, end } if end <= input.len() => {
                let frame = Frame::decode(kind, &input[head..end])?;
                self.take(input, kind, end);
                Ok(Some(frame))
            }
            Need::Data { id, front, payload } => {
                self.take(input, Kind::Data, front);
                self.data = Some((id, payload));
                Ok(None)
            }
            Need::Byte | Need::Whole { .. } => self.keep(input, input.len()),
        }
    }

    /// A frame of which the beginning is in `partial`.
    fn gather(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Error> {
        while !input.is_empty() {
            let missing = match need(&self.partial)? {
                Need::Byte | Need::Data { .. } => 1,
                Need::Whole { end, .. } => end - self.partial.len(),
            };
            self.keep(input, missing.min(input.len()))?;
            match need(&self.partial)? {
                Need::Whole { kind, head, end } if end == self.partial.len() => {
                    let partial = std::mem::take(&mut self.partial);
                    return Frame::decode(kind, &partial[head..]).map(Some);
                }
                Need::Data { id, payload, .. } => {
                    self.partial = Vec::new();
                    self.data = Some((id, payload));
                    return Ok(None);
                }
                Need::Byte | Need::Whole { .. } => {}
            }
        }
        Ok(None)
    }

    /// What `input` holds of the DATA frame that is arriving.
    fn payload<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        let (id, missing) = self.data?;
        let bytes = self.take(input, Kind::Data, missing.min(input.len()));
        self.data = (missing > bytes.len()).then_some((id, missing - bytes.len()));
        (!bytes.is_empty()).then_some(Piece::Data { id, bytes })
    }

    fn keep(&mut self, input: &mut &[u8], count: usize) -> Result<Option<Frame>, Error> {
        let Some(&first) = self.partial.first().or(input.first()) else { return Ok(None) };
        let bytes = self.take(input, Kind::from_code(first)?, count);
        self.partial.extend_from_slice(bytes);
        Ok(None)
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], kind: Kind, count: usize) -> &'a [u8] {
        let (bytes, rest) = input.split_at(count);
        *input = rest;
        if kind.is_numbered() {
            self.received += count as u64;
        }
        bytes
    }
}

fn need(bytes: &[u8]) -> Result<Need, Error> {
    let Some((kind, length, head)) = frame::head(bytes)? else { return Ok(Need::Byte) };
    if kind != Kind::Data {
        return Ok(Need::Whole { kind, head, end: head + length });
    }
    let body = &bytes[head..];
    let Some((id, size)) = frame::data_stream(&body[..length.min(body.len())])? else {
        return if body.len() < length { Ok(Need::Byte) } else { Err(Error::Malformed(kind.name())) };
    };
    if length == size {
        return Err(Error::Malformed(kind.name()));
    }
    Ok(Need::Data { id, front: head + size, payload: length - size })
}
