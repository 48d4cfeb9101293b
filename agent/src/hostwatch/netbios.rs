//! A neighbour is asked for its `NetBIOS` names (RFC 1002, 4.2.17 and 4.2.18). Pure.

use super::name;

/// RFC 1002, 4.2: the well-known port of the name service.
pub const PORT: u16 = 137;

/// The head of a message, as DNS has it.
const HEAD: usize = 12;
const RESPONSE: u8 = 0x80;
/// `NBSTAT` and `IN`.
const STATUS: [u8; 4] = [0, 0x21, 0, 1];
/// The name `*`, filled with zeros to 16 bytes, each byte written as two letters.
const ANY: &[u8] = b"\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0";
/// Type, class, life and length of the one record of an answer.
const FIXED: usize = 10;
/// A name of 15 bytes, its kind, two bytes of flags.
const ENTRY: usize = 18;
/// Of many computers together.
const GROUP: u8 = 0x80;
/// The kind of a computer's own name: it can be talked to.
const WORKSTATION: u8 = 0x00;

/// To be sent as a datagram.
pub fn question(id: u16) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], ANY, &STATUS].concat()
}

/// The id of the question, and the computer's name in small letters.
pub fn answer(message: &[u8]) -> Option<(u16, String)> {
    let head = message.first_chunk::<HEAD>()?;
    let record = message.get(HEAD..)?.strip_prefix(ANY)?;
    if head[2] & RESPONSE == 0 || !record.starts_with(&STATUS) {
        return None;
    }
    let (count, entries) = record.get(FIXED..)?.split_first()?;
    let own = entries
        .chunks_exact(ENTRY)
        .take((*count).into())
        .find(|entry| entry[15] == WORKSTATION && entry[16] & GROUP == 0)?;
    let text = str::from_utf8(&own[..15]).ok()?;
    Some((u16::from_be_bytes([head[0], head[1]]), name::host(text.trim_end())?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answered(entries: &[(&str, u8, u8)]) -> Vec<u8> {
        let mut message = [b"\x12\x34\x84\0\0\0\0\x01\0\0\0\0", ANY, &STATUS, &[0; 6]].concat();
        message.push(entries.len() as u8);
        for (name, kind, flags) in entries {
            message.extend(format!("{name:<15}").as_bytes());
            message.extend([*kind, *flags, 0]);
        }
        message
    }

    #[test]
    fn a_computer_tells_its_own_name() {
        let entries = [("OFFICE", 0x00, 0x84), ("FILESRV", 0x20, 0x04), ("FILESRV", 0x00, 0x04)];
        assert_eq!(answer(&answered(&entries)), Some((0x1234, "filesrv".into())));
        assert_eq!(answer(&answered(&entries[..1])), None, "a workgroup is no computer");
        assert_eq!(answer(&answered(&[("MY PC", 0x00, 0x04)])), None, "no name that a program could use");
    }

    #[test]
    fn a_question_is_no_answer() {
        assert_eq!(question(0x1234).len(), 50);
        assert_eq!(answer(&question(0x1234)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..100_usize) {
            answer(&bytes);
            let whole = answered(&[("FILESRV", 0x00, 0x04)]);
            answer(&whole[..cut.min(whole.len())]);
            answer(&[&whole[..HEAD + ANY.len() + 4], &bytes].concat());
        }
    }
}
