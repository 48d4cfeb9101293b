//! What is in a DNS message, as far as anybody here needs to know. Pure.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

use bytes::Bytes;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData};

/// The name that is asked for, in small letters and without a dot at the end. None for what is no question about one name.
pub fn asked(message: &[u8]) -> Option<String> {
    let packet = Packet::parse(message).ok()?;
    match packet.questions.as_slice() {
        [question] if !packet.has_flags(PacketFlag::RESPONSE) => Some(name(&question.qname)),
        _ => None,
    }
}

/// An address that an answer gives for the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was asked for, also where the address belongs to another name of it.
    pub name: String,
    pub address: IpAddr,
    /// How long it may be remembered.
    pub life: Duration,
}

/// All addresses of an answer; None when it is not one, or says that something went wrong. A name without addresses has an
/// answer without any.
pub fn addresses(message: &[u8]) -> Option<Vec<Found>> {
    let packet = Packet::parse(message).ok()?;
    let known = matches!(packet.rcode(), RCODE::NoError | RCODE::NameError);
    let [question] = packet.questions.as_slice() else { return None };
    if !packet.has_flags(PacketFlag::RESPONSE) || !known {
        return None;
    }
    let asked = name(&question.qname);
    // the shortest life of the chain of names that leads there
    let life = packet.answers.iter().map(|record| record.ttl).min().unwrap_or_default();
    let addresses = packet.answers.iter().filter_map(|record| match &record.rdata {
        RData::A(a) => Some(IpAddr::from(a.address.to_be_bytes())),
        RData::AAAA(aaaa) => Some(IpAddr::from(aaaa.address.to_be_bytes())),
        _ => None,
    });
    let found = |address| Found { name: asked.clone(), address, life: Duration::from_secs(life.into()) };
    Some(addresses.map(found).collect())
}

/// Whether the answer was cut off (RFC 1035, 4.1.1: TC).
pub fn is_truncated(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// A question for addresses of one family; None for what is no name.
pub fn question(name: &str, v6: bool) -> Option<Bytes> {
    // nobody can guess it from the one before
    let id = RandomState::new().hash_one(name) as u16;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = if v6 { TYPE::AAAA } else { TYPE::A };
    let name = Name::new(name).ok()?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok().map(Bytes::from)
}

/// What a client is told when nobody answered: it need not wait until it gives up by itself.
pub fn failure(question: &[u8]) -> Option<Bytes> {
    let asked = Packet::parse(question).ok()?;
    let mut reply = Packet::new_reply(asked.id());
    let wished = asked.has_flags(PacketFlag::RECURSION_DESIRED);
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if wished {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *reply.rcode_mut() = RCODE::ServerFailure;
    reply.questions = asked.questions;
    reply.build_bytes_vec().ok().map(Bytes::from)
}

fn name(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use simple_dns::{ResourceRecord, rdata::CNAME};

    use super::*;

    /// An answer with another name in between, as web sites have it.
    pub fn answer(question: &[u8], addresses: &[(IpAddr, u32)]) -> Vec<u8> {
        let asked = Packet::parse(question).unwrap();
        let mut reply = Packet::new_reply(asked.id());
        let other = Name::new("elsewhere.example").unwrap();
        let asked_name = asked.questions[0].qname.clone();
        reply.answers.push(ResourceRecord::new(
            asked_name,
            CLASS::IN,
            300,
            RData::CNAME(CNAME(other.clone())),
        ));
        for (address, life) in addresses {
            let data = match address {
                IpAddr::V4(address) => RData::A((*address).into()),
                IpAddr::V6(address) => RData::AAAA((*address).into()),
            };
            reply.answers.push(ResourceRecord::new(other.clone(), CLASS::IN, *life, data));
        }
        reply.questions.clone_from(&asked.questions);
        reply.build_bytes_vec().unwrap()
    }

    #[test]
    fn a_question_says_its_name() {
        assert_eq!(asked(&question("DB.Corp.example", false).unwrap()), Some("db.corp.example".into()));
        assert_eq!(question(&"a".repeat(300), false), None);
    }

    #[test]
    fn addresses_belong_to_the_name_that_was_asked_for() {
        let question = question("db.corp", false).unwrap();
        let (v4, v6) = (Ipv4Addr::new(10, 0, 0, 5).into(), Ipv6Addr::LOCALHOST.into());
        let found = addresses(&answer(&question, &[(v4, 60), (v6, 90)])).unwrap();
        let life = Duration::from_mins(1);
        let of = |address| Found { name: "db.corp".into(), address, life };
        assert_eq!(found, [of(v4), of(v6)]);
        assert_eq!(addresses(&question), None, "a question is no answer");
    }

    #[test]
    fn a_failure_is_an_answer_to_the_question() {
        let question = question("db.corp", true).unwrap();
        let failed = failure(&question).unwrap();
        let packet = Packet::parse(&failed).unwrap();
        assert_eq!((packet.rcode(), packet.questions.len()), (RCODE::ServerFailure, 1));
        assert_eq!(failed[..2], question[..2]);
        assert_eq!(addresses(&failed), None, "nothing is known then");
    }

    proptest! {
        #![proptest_config(crate::testing::rounds(512))]

        #[test]
        fn any_bytes_are_read_or_not(message in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (asked(&message), addresses(&message), failure(&message), is_truncated(&message));
        }

        #[test]
        fn a_message_with_any_byte_changed_is_read_or_not(at in 0..40_usize, byte: u8) {
            let question = question("db.corp.example", false).unwrap();
            let mut message = answer(&question, &[(Ipv4Addr::LOCALHOST.into(), 1)]);
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
            let _ = (asked(&message), addresses(&message), failure(&message));
        }
    }
}
