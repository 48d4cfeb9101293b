//! How a connection starts: the agent's marker behind whatever the login printed, then one HELLO each way.
//!
//! The client writes nothing before it has seen the marker, and neither end writes a numbered frame before it knows
//! the other's version: what a user sends is never fed to a shell or to a stranger.

use crate::{
    Config, Error, Latency, Role,
    frame::{Frame, MAX_DATA, MAX_DATA_BEFORE},
    out::Out,
};

/// What the agent prints first. No text holds it: it starts with a zero byte, which it has only there, and has two bytes
/// that no UTF-8 has.
pub(crate) const MARKER: [u8; 16] = *b"\0\xf5ropeway-agent\xf6";

/// Most bytes before the marker. The longest login messages seen are some kilobytes; 256 KiB take 2 s on a 1 Mbit/s line.
pub(crate) const MAX_NOISE: usize = 256 << 10;

/// Ends of one epoch understand each other; a new one is a new protocol.
const EPOCH: u32 = 1;

/// What was added within the epoch. An end uses nothing that is newer than the peer's revision.
///
/// 1: HELLO tells the client's choice of latency; bit 0 of the capabilities; DATA of more than 16 KiB.
const REVISION: u32 = 1;

/// Capabilities are one bit each; what needs both ends is used only if both have it.
///
/// This end's processor has AES instructions. The mux does nothing with it: whoever starts ssh chooses the cipher by it.
const HARDWARE_AES: u64 = 1;

/// Who an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) epoch: u32,
    pub(crate) revision: u32,
    pub(crate) capabilities: u64,
    pub(crate) latency: Latency,
}

impl Hello {
    fn of(config: &Config) -> Self {
        let capabilities = if config.hardware_aes { HARDWARE_AES } else { 0 };
        Self { epoch: EPOCH, revision: REVISION, capabilities, latency: config.latency }
    }

    pub(crate) fn has_aes(&self) -> bool {
        self.capabilities & HARDWARE_AES != 0
    }
}

/// A number on the wire: 0 and 1 would be no limits.
impl Latency {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Adaptive => 0,
            Self::Unlimited => 1,
            Self::Fixed(bytes) => bytes.max(2),
        }
    }

    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Adaptive,
            1 => Self::Unlimited,
            bytes => Self::Fixed(bytes),
        }
    }
}

/// The state of the start, of both directions.
#[derive(Debug)]
pub(crate) struct Handshake {
    role: Role,
    ours: Hello,
    search: Search,
    greeted: bool,
    peer: Option<Hello>,
}

impl Handshake {
    pub(crate) fn new(config: &Config) -> Self {
        let search = Search { found: config.role == Role::Agent, ..Search::default() };
        Self { role: config.role, ours: Hello::of(config), search, greeted: false, peer: None }
    }

    /// Pass over `input` to behind the marker; whether it was found.
    pub(crate) fn find_marker(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        self.search.run(input)
    }

    /// Append our first bytes when it is time for them; whether it was.
    pub(crate) fn greet(&mut self, out: &mut Out) -> bool {
        if self.greeted || !self.search.found {
            return false;
        }
        self.greeted = true;
        if self.role == Role::Agent {
            out.put(&MARKER);
        }
        Frame::Hello(self.ours).encode(out);
        true
    }

    pub(crate) fn has_greeted(&self) -> bool {
        self.greeted
    }

    pub(crate) fn on_hello(&mut self, hello: Hello) -> Result<(), Error> {
        if hello.epoch != EPOCH {
            return Err(Error::Version { ours: EPOCH, theirs: hello.epoch });
        }
        if self.peer.is_some() {
            return Err(Error::Unexpected("HELLO"));
        }
        self.peer = Some(hello);
        Ok(())
    }

    /// Whether the peer is known to speak our version.
    pub(crate) fn is_done(&self) -> bool {
        self.peer.is_some()
    }

    /// The longest payload of DATA that the peer takes.
    pub(crate) fn longest_data(&self) -> usize {
        if self.peer.is_some_and(|peer| peer.revision == 0) { MAX_DATA_BEFORE } else { MAX_DATA }
    }

    /// What the peer said of itself.
    pub(crate) fn peer(&self) -> Option<&Hello> {
        self.peer.as_ref()
    }
}

/// Looks for the marker in bytes that come in any pieces.
#[derive(Debug, Default)]
struct Search {
    found: bool,
    matched: usize,
    skipped: usize,
}

impl Search {
    fn run(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        while !self.found {
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            self.step(byte)?;
        }
        Ok(true)
    }

    fn step(&mut self, byte: u8) -> Result<(), Error> {
        if byte == MARKER[self.matched] {
            self.matched += 1;
        } else {
            // The marker's first byte occurs in it once, so a failed match can restart only at this byte.
            let restarts = byte == MARKER[0];
            self.skipped += self.matched + usize::from(!restarts);
            self.matched = usize::from(restarts);
        }
        self.found = self.matched == MARKER.len();
        if self.skipped > MAX_NOISE { Err(Error::NoMarker(self.skipped)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(noise: &[u8], piece: usize) -> Result<bool, Error> {
        let mut search = Search::default();
        let bytes = [noise, &MARKER, b"rest"].concat();
        let mut found = false;
        for mut chunk in bytes.chunks(piece) {
            found = search.run(&mut chunk)?;
        }
        assert_eq!(search.skipped, noise.len());
        Ok(found)
    }

    #[test]
    fn the_marker_is_found_behind_noise_in_any_pieces() {
        let almost = &MARKER[..MARKER.len() - 1];
        let twice = [almost, &[0], almost].concat();
        for noise in [&b""[..], b"Welcome!\r\n", almost, &[0, 0, 0], &twice] {
            for piece in 1..=MARKER.len() + 4 {
                assert_eq!(search(noise, piece), Ok(true), "{noise:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn noise_has_a_limit() {
        assert_eq!(search(&vec![b'x'; MAX_NOISE], 4096), Ok(true));
        assert_eq!(search(&vec![b'x'; MAX_NOISE + 1], 4096), Err(Error::NoMarker(MAX_NOISE + 1)));
    }

    #[test]
    fn the_search_may_restart_only_at_the_first_byte() {
        assert!(!MARKER[1..].contains(&MARKER[0]));
    }
}
