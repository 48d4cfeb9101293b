//! The space that a transmit fills. What does not fit is carried over to the next one.

use bytes::{Buf, BytesMut};

/// Space of the caller's, used from the front.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    space: &'a mut [u8],
    used: usize,
    carry: BytesMut,
}

impl<'a> Out<'a> {
    /// `carry` is what the last one left over: it goes first.
    pub(crate) fn new(space: &'a mut [u8], mut carry: BytesMut) -> Self {
        let used = carry.len().min(space.len());
        space[..used].copy_from_slice(&carry[..used]);
        carry.advance(used);
        Self { space, used, carry }
    }

    /// Append all of `bytes`, if need be to what is carried over.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let fits = if self.carry.is_empty() { bytes.len().min(self.room()) } else { 0 };
        self.space[self.used..self.used + fits].copy_from_slice(&bytes[..fits]);
        self.used += fits;
        self.carry.extend_from_slice(&bytes[fits..]);
    }

    pub(crate) fn room(&self) -> usize {
        self.space.len() - self.used
    }

    /// What is not used yet, to be written in place; then [`Self::advance`].
    pub(crate) fn free(&mut self) -> &mut [u8] {
        &mut self.space[self.used..]
    }

    pub(crate) fn advance(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// How much was used, and what is carried over.
    pub(crate) fn finish(self) -> (usize, BytesMut) {
        let carry = if self.carry.is_empty() { BytesMut::new() } else { self.carry };
        (self.used, carry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_first_the_next_time() {
        let (mut space, mut carry, mut seen) = ([0; 5], BytesMut::new(), Vec::new());
        for piece in [&b"rope"[..], b"", b"way", b"", b"", b"!"] {
            let mut out = Out::new(&mut space, carry);
            out.put(piece);
            out.put(b"-");
            let (used, rest) = out.finish();
            carry = rest;
            seen.extend_from_slice(&space[..used]);
        }
        seen.extend_from_slice(&carry);
        assert_eq!(seen, b"rope--way---!-");
    }
}
