//! A long stream of bytes that both ends can make for themselves: reordered, repeated or missing parts change its
//! checksum, and nothing of it has to be stored.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
};

use sha2::{Digest, Sha256};

/// Length of the big file: 200 MiB.
pub const BIG: u64 = 200 << 20;

/// SHA-256 of the big file.
pub const BIG_SHA256: &str = "7107ebb967c78e49174864fbd6f7e56e71e8bfa9b5f28908b8a59f698cbb764d";

/// Bytes made at a time; each block carries its number, so no two are alike.
const BLOCK: usize = 64 << 10;

/// Writes the first `length` bytes of the stream.
pub fn write(to: &mut impl Write, length: u64) -> io::Result<()> {
    let mut block = block();
    let mut left = length;
    for number in 0_u64.. {
        block[..8].copy_from_slice(&number.to_le_bytes());
        let part = left.min(BLOCK as u64);
        to.write_all(&block[..part as usize])?;
        left -= part;
        if left == 0 {
            break;
        }
    }
    to.flush()
}

/// What was read: how many bytes, and their SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Sum {
    pub bytes: u64,
    pub sha256: String,
}

/// Reads to the end.
pub fn sum(from: &mut impl Read) -> io::Result<Sum> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BLOCK]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(Sum { bytes, sha256: hex(&hasher.finalize()) });
        }
        bytes += count as u64;
        hasher.update(&buffer[..count]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Noise that does not compress: xorshift64 from a fixed seed.
fn block() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(BLOCK);
    while block.len() < BLOCK {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_big_file_is_what_its_checksum_says() {
        let mut hasher = Hashing(Sha256::new());
        write(&mut hasher, BIG).expect("a hasher takes everything");
        assert_eq!(hex(&hasher.0.finalize()), BIG_SHA256);
    }

    #[test]
    fn a_part_is_the_beginning_of_the_whole() {
        let (mut part, mut whole) = (Vec::new(), Vec::new());
        write(&mut part, BLOCK as u64 + 5).expect("memory takes everything");
        write(&mut whole, 3 * BLOCK as u64).expect("memory takes everything");
        assert_eq!(part.len(), BLOCK + 5);
        assert!(whole.starts_with(&part));
    }

    struct Hashing(Sha256);

    impl Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
