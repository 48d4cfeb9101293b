//! Frames spelled by hand from `docs/wire.md`, not by the code under test.

pub const OPEN: u8 = 0x01;
pub const OPENED: u8 = 0x02;
pub const REFUSED: u8 = 0x03;
pub const DATA: u8 = 0x04;
pub const EOF: u8 = 0x05;
pub const RESET: u8 = 0x06;
pub const WINDOW: u8 = 0x07;
pub const CONTROL: u8 = 0x09;
pub const HELLO: u8 = 0x80;
pub const ACK: u8 = 0x81;
pub const PONG: u8 = 0x83;

pub const MARKER: &[u8] = b"\0\xf5ropeway-agent\xf6";

pub fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[kind], varint(body.len() as u64).as_slice(), &body].concat()
}

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Epoch 1, revision 1, no capabilities, a latency that follows the link.
pub fn hello() -> Vec<u8> {
    frame(HELLO, &[&[1, 1, 0, 0]])
}

/// What an agent's first bytes are.
pub fn agent_greeting() -> Vec<u8> {
    [MARKER, &hello()].concat()
}

/// OPEN of 10.1.2.3:443.
pub fn open(id: u64, limit: u64) -> Vec<u8> {
    frame(OPEN, &[&varint(id), &varint(limit), &[4, 10, 1, 2, 3, 0x01, 0xbb]])
}

pub fn data(id: u64, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, &[&varint(id), bytes])
}
