//! Questions to name servers that are ours, and what their answers say. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name;

/// RFC 1035, 4.1.1: the head of a message, and what its third and fourth byte say.
const HEAD: usize = 12;
const RECURSION_DESIRED: u8 = 0x01;
const RCODE: u8 = 0x0f;
const NAME_ERROR: u8 = 3;
const INTERNET: u16 = 1;

/// Records of one answer that are looked at: a computer has a handful.
const RECORDS: usize = 64;

/// Pointers in one name. Each must lead backwards, so this is only about time.
const JUMPS: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    A = 1,
    Ptr = 12,
    Aaaa = 28,
}

/// What was answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Nobody has that name.
    pub nobody: bool,
    pub addresses: Vec<IpAddr>,
    /// Of an address; in small letters.
    pub names: Vec<String>,
}

/// A whole message; None for what is no name.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = [&id.to_be_bytes()[..], &[RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend((kind as u16).to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    (message.len() <= HEAD + 255 + 4).then_some(message)
}

/// The name under which an address has its name (RFC 1035, 3.5; RFC 3596, 2.5).
pub fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = (0..32).map(|at| format!("{:x}.", v6.to_bits() >> (4 * at) & 0xf));
            format!("{}ip6.arpa", digits.collect::<String>())
        }
    }
}

/// As much as can be read of it.
pub fn answer(message: &[u8]) -> Answer {
    let mut answer = Answer::default();
    if let Some(head) = message.first_chunk::<HEAD>() {
        answer.nobody = head[3] & RCODE == NAME_ERROR;
        let count = |at| u16::from_be_bytes([head[at], head[at + 1]]);
        let _ = records(message, count(4), count(6), &mut answer);
    }
    answer
}

fn records(message: &[u8], questions: u16, answers: u16, found: &mut Answer) -> Option<()> {
    let mut at = HEAD;
    for _ in 0..questions {
        at = behind_name(message, at)? + 4;
    }
    for _ in 0..usize::from(answers).min(RECORDS) {
        at = behind_name(message, at)?;
        let fixed = message.get(at..)?.first_chunk::<10>()?;
        let (kind, length) = (u16::from_be_bytes([fixed[0], fixed[1]]), [fixed[8], fixed[9]]);
        let data = at + 10;
        at = data + usize::from(u16::from_be_bytes(length));
        let bytes = message.get(data..at)?;
        if kind == Kind::A as u16 {
            found.addresses.extend(<[u8; 4]>::try_from(bytes).map(|ip| IpAddr::V4(Ipv4Addr::from(ip))).ok());
        } else if kind == Kind::Aaaa as u16 {
            found.addresses.extend(<[u8; 16]>::try_from(bytes).map(|ip| IpAddr::V6(Ipv6Addr::from(ip))).ok());
        } else if kind == Kind::Ptr as u16 {
            found.names.extend(read_name(message, data).and_then(|text| name::host(&text)));
        }
    }
    Some(())
}

/// Where the name that begins here ends.
fn behind_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ ..0x40 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// RFC 1035, 4.1.4: a name may go on where an earlier one was written.
fn read_name(message: &[u8], mut at: usize) -> Option<String> {
    let (mut labels, mut jumps) = (vec![], 0);
    loop {
        match *message.get(at)? {
            0 => return Some(labels.join(".")),
            length @ ..0x40 => {
                let end = at + 1 + usize::from(length);
                labels.push(str::from_utf8(message.get(at + 1..end)?).ok()?);
                at = end;
            }
            high @ 0xc0.. => {
                let to = usize::from(u16::from_be_bytes([high & 0x3f, *message.get(at + 1)?]));
                jumps += 1;
                if to >= at || jumps > JUMPS {
                    return None;
                }
                at = to;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A question that was answered by these records: kind and data.
    fn answered(name: &str, kind: Kind, records: &[(Kind, &[u8])]) -> Vec<u8> {
        let mut message = question(7, name, kind).expect("a name");
        message[2] |= 0x80;
        message[7] = records.len() as u8;
        for (kind, data) in records {
            message.extend([0xc0, HEAD as u8]);
            message.extend((*kind as u16).to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(*data);
        }
        message
    }

    #[test]
    fn a_question_is_written_as_the_rfc_has_it() {
        assert_eq!(
            question(0x1234, "db.corp", Kind::A).expect("a name"),
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x04corp\0\0\x01\0\x01"
        );
        for name in ["", "a..b", &"a".repeat(64), &vec!["a".repeat(60); 5].join(".")] {
            assert_eq!(question(1, name, Kind::A), None, "{name}");
        }
    }

    #[test]
    fn an_address_is_asked_for_backwards() {
        assert_eq!(reverse([10, 20, 0, 2].into()), "2.0.20.10.in-addr.arpa");
        let v6: IpAddr = "fd20::2".parse().expect("an address");
        assert_eq!(reverse(v6), format!("2.{}0.2.d.f.ip6.arpa", "0.".repeat(27)));
        assert!(question(1, &reverse(v6), Kind::Ptr).is_some());
    }

    #[test]
    fn addresses_and_names_are_read() {
        let v6 = [0xfd, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        let message = answered("db.corp", Kind::A, &[(Kind::A, &[10, 0, 0, 5]), (Kind::Aaaa, &v6)]);
        let addresses: Vec<String> = answer(&message).addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.5", "fd20::5"]);
        // `Web`, and then as the question's name goes on
        let message =
            answered("5.corp", Kind::Ptr, &[(Kind::Ptr, b"\x03Web\xc0\x0e"), (Kind::Ptr, b"\x02a b\x00")]);
        assert_eq!(answer(&message).names, ["web.corp"]);
    }

    #[test]
    fn nobody_is_told_from_nothing() {
        let mut message = answered("db", Kind::A, &[]);
        assert_eq!(answer(&message), Answer::default());
        message[3] |= NAME_ERROR;
        assert!(answer(&message).nobody);
    }

    #[test]
    fn a_name_that_leads_round_in_circles_has_an_end() {
        for data in [&b"\xc0\x25"[..], b"\x01a\xc0\x25", b"\xff\xff", b"\x3f"] {
            assert!(answer(&answered("db.corp", Kind::Ptr, &[(Kind::Ptr, data)])).names.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0..100_usize) {
            answer(&bytes);
            let mut message = answered("db.corp", Kind::Ptr, &[(Kind::Ptr, &b"\x03web\xc0\x0f"[..]); 3]);
            let end = (at + bytes.len()).min(message.len());
            if at < end {
                message[at..end].copy_from_slice(&bytes[..end - at]);
            }
            answer(&message);
        }
    }
}
