//! What a rule says, as netlink expressions.
//!
//! Every match loads a register and compares it, as nft itself does it (`nft --debug=netlink` prints it), so that
//! `nft list` shows the text of the script.

use ropeway_helper_api::Ports;

use crate::rules::{
    flatten::Family,
    script::{Cgroup, Match, NOBODY, Rule, Verdict},
    udp,
};

use super::{
    netlink::Attributes,
    numbers::{ICMP, ICMPV6, IPV4, IPV6, ITEM, TCP, UDP, data, expression as e, object, register},
};

/// In the list of a rule.
pub fn push(list: &mut Attributes, rule: &Rule) {
    let mut expressions = Expressions(list);
    rule.matches.iter().for_each(|item| expressions.push_match(item));
    expressions.push_verdict(&rule.verdict);
}

struct Expressions<'a>(&'a mut Attributes);

impl Expressions<'_> {
    fn push_match(&mut self, item: &Match) {
        match item {
            Match::Family(Family::V4) => self.meta(e::META_FAMILY, &[IPV4]),
            Match::Family(Family::V6) => self.meta(e::META_FAMILY, &[IPV6]),
            Match::Tcp => self.protocol(TCP),
            Match::NotTcp => self.not_tcp(),
            Match::NotSyn => self.not_syn(),
            Match::Mark(mark) => self.meta(e::META_MARK, &mark.to_ne_bytes()),
            Match::User(uid) => self.meta(e::META_USER, &uid.to_ne_bytes()),
            Match::Group(gid) => self.meta(e::META_GROUP, &gid.to_ne_bytes()),
            Match::Cgroup(cgroup) => self.cgroup(*cgroup),
            Match::LocalDestination => self.destination_type(e::LOCAL),
            Match::Broadcast => self.destination_type(e::BROADCAST),
            Match::Multicast => self.destination_type(e::MULTICAST),
            Match::Interface(index) => self.meta(e::META_INTERFACE, &index.to_ne_bytes()),
            // without the zero at its end a name stands for all that begin so
            Match::FromOwnDevice => self.meta(e::META_CAME_BY, udp::OWN.as_bytes()),
            Match::ToDevice => self.meta(e::META_LEAVES_BY, udp::ANY.as_bytes()),
            Match::Ports(ports) => self.ports(TCP, *ports),
            Match::UdpPorts(ports) => self.ports(UDP, *ports),
            Match::UdpFlow(from, to) => self.udp_flow(*from, *to),
            Match::Icmpv6(first, last) => self.icmpv6(*first, *last),
            Match::Destination(family, set) => self.destination(*family, set),
            Match::Endpoint(family, set) => self.endpoint(*family, set),
            Match::Reply => self.reply(),
            Match::Known => self.known(),
            Match::Udp => self.protocol(UDP),
            Match::OfProgram => self.of_program(),
            Match::Icmp(Family::V4) => self.protocol(ICMP),
            Match::Icmp(Family::V6) => self.protocol(ICMPV6),
            Match::Count(counter) => self.count(counter),
            Match::NotRedirected => self.not_redirected(),
        }
    }

    fn push_verdict(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Return => self.verdict(data::RETURN, None),
            Verdict::Accept => self.verdict(data::ACCEPT, None),
            Verdict::Jump(chain) => self.verdict(data::JUMP, Some(chain)),
            Verdict::Redirect(ports) => self.redirect(*ports),
            Verdict::Drop => self.verdict(data::DROP, None),
            Verdict::Reset => self.reject(e::REJECT_RESET, 0),
            Verdict::Prohibit => self.reject(e::REJECT_ICMPX, e::REJECT_PROHIBITED),
        }
    }

    fn protocol(&mut self, number: u8) {
        self.meta(e::META_PROTOCOL, &[number]);
    }

    fn not_tcp(&mut self) {
        self.load_meta(e::META_PROTOCOL);
        self.compare(e::NOT_EQUAL, &[TCP]);
    }

    /// Byte 13 of a TCP header has the flags FIN 1, SYN 2, RST 4, ACK 16.
    fn not_syn(&mut self) {
        self.protocol(TCP);
        self.load_payload(register::FIRST, e::TRANSPORT_HEADER, 13, 1);
        self.mask(&[1 | 2 | 4 | 16]);
        self.compare(e::NOT_EQUAL, &[2]);
    }

    /// The values of `meta` are in the machine's byte order.
    fn meta(&mut self, key: u32, value: &[u8]) {
        self.load_meta(key);
        self.compare(e::EQUAL, value);
    }

    fn cgroup(&mut self, Cgroup { level, id }: Cgroup) {
        self.push("socket", |out| {
            out.u32(e::SOCKET_KEY, e::SOCKET_CGROUP).u32(e::SOCKET_REGISTER, register::FIRST);
            out.u32(e::SOCKET_LEVEL, level);
        });
        self.compare(e::EQUAL, &id.to_ne_bytes());
    }

    fn destination_type(&mut self, wanted: u32) {
        self.push("fib", |out| {
            out.u32(e::FIB_REGISTER, register::FIRST).u32(e::FIB_RESULT, e::FIB_ADDRESS_TYPE);
            out.u32(e::FIB_FLAGS, e::FIB_DESTINATION);
        });
        self.compare(e::EQUAL, &wanted.to_ne_bytes());
    }

    fn ports(&mut self, protocol: u8, Ports { first, last }: Ports) {
        self.protocol(protocol);
        self.load_port(register::FIRST);
        self.between(&first.to_be_bytes(), &last.to_be_bytes());
    }

    /// A UDP header begins with the source port.
    fn udp_flow(&mut self, from: u16, to: u16) {
        self.protocol(UDP);
        self.load_payload(register::FIRST, e::TRANSPORT_HEADER, 0, 2);
        self.compare(e::EQUAL, &from.to_be_bytes());
        self.load_port(register::FIRST);
        self.compare(e::EQUAL, &to.to_be_bytes());
    }

    /// A header of `ICMPv6` begins with the type.
    fn icmpv6(&mut self, first: u8, last: u8) {
        self.protocol(ICMPV6);
        self.load_payload(register::FIRST, e::TRANSPORT_HEADER, 0, 1);
        self.between(&[first], &[last]);
    }

    fn reply(&mut self) {
        self.load_ct(e::CT_DIRECTION);
        self.compare(e::EQUAL, &[e::REPLY]);
    }

    fn known(&mut self) {
        self.load_ct(e::CT_STATE);
        self.mask(&(e::STATE_ESTABLISHED | e::STATE_RELATED).to_ne_bytes());
        self.compare(e::NOT_EQUAL, &[0; 4]);
    }

    /// What has no socket has no user, and matches nothing.
    fn of_program(&mut self) {
        self.load_meta(e::META_USER);
        self.compare(e::NOT_EQUAL, &NOBODY.to_ne_bytes());
    }

    fn count(&mut self, counter: &str) {
        self.push("objref", |out| {
            out.u32(e::OBJECT_TYPE, object::COUNTER).text(e::OBJECT_NAME, counter);
        });
    }

    fn not_redirected(&mut self) {
        let bit = e::STATUS_DNAT.to_ne_bytes();
        self.load_ct(e::CT_STATUS);
        self.mask(&bit);
        self.compare(e::NOT_EQUAL, &bit);
    }

    fn destination(&mut self, family: Family, set: &str) {
        self.load_destination(family);
        self.lookup(set);
    }

    /// The port stands behind the words of the address, so what has to be compared comes first.
    fn endpoint(&mut self, family: Family, set: &str) {
        self.protocol(TCP);
        let words = self.load_destination(family);
        self.load_port(register::WORDS + words);
        self.lookup(set);
    }

    /// Into the first register; returns how many words of it are used.
    fn load_destination(&mut self, family: Family) -> u32 {
        let (protocol, offset, length) = match family {
            Family::V4 => (IPV4, 16, 4),
            Family::V6 => (IPV6, 24, 16),
        };
        self.meta(e::META_FAMILY, &[protocol]);
        self.load_payload(register::FIRST, e::NETWORK_HEADER, offset, length);
        length / 4
    }

    fn load_port(&mut self, register: u32) {
        self.load_payload(register, e::TRANSPORT_HEADER, 2, 2);
    }

    fn load_meta(&mut self, key: u32) {
        self.push("meta", |out| {
            out.u32(e::META_REGISTER, register::FIRST).u32(e::META_KEY, key);
        });
    }

    fn load_ct(&mut self, key: u32) {
        self.push("ct", |out| {
            out.u32(e::CT_REGISTER, register::FIRST).u32(e::CT_KEY, key);
        });
    }

    fn load_payload(&mut self, register: u32, base: u32, offset: u32, length: u32) {
        self.push("payload", |out| {
            out.u32(e::PAYLOAD_REGISTER, register).u32(e::PAYLOAD_BASE, base);
            out.u32(e::PAYLOAD_OFFSET, offset).u32(e::PAYLOAD_LENGTH, length);
        });
    }

    fn compare(&mut self, operation: u32, value: &[u8]) {
        self.push("cmp", |out| {
            out.u32(e::COMPARE_REGISTER, register::FIRST).u32(e::COMPARE_OPERATION, operation);
            out.nest(e::COMPARE_DATA, |data| {
                data.bytes(data::VALUE, value);
            });
        });
    }

    /// Both ends belong to it.
    fn between(&mut self, first: &[u8], last: &[u8]) {
        if first == last {
            return self.compare(e::EQUAL, first);
        }
        self.push("range", |out| {
            out.u32(e::RANGE_REGISTER, register::FIRST).u32(e::RANGE_OPERATION, e::EQUAL);
            for (kind, end) in [(e::RANGE_FROM, first), (e::RANGE_TO, last)] {
                out.nest(kind, |value| {
                    value.bytes(data::VALUE, end);
                });
            }
        });
    }

    /// Keeps these bits of the first register.
    fn mask(&mut self, bits: &[u8]) {
        self.push("bitwise", |out| {
            out.u32(e::BITWISE_SOURCE, register::FIRST).u32(e::BITWISE_TARGET, register::FIRST);
            out.u32(e::BITWISE_LENGTH, bits.len() as u32);
            for (kind, value) in [(e::BITWISE_MASK, bits), (e::BITWISE_XOR, &[0; 4][..bits.len()])] {
                out.nest(kind, |data| {
                    data.bytes(data::VALUE, value);
                });
            }
        });
    }

    fn lookup(&mut self, set: &str) {
        self.push("lookup", |out| {
            out.text(e::LOOKUP_SET, set).u32(e::LOOKUP_REGISTER, register::FIRST);
        });
    }

    fn verdict(&mut self, code: i32, chain: Option<&str>) {
        self.immediate(register::VERDICT, |value| {
            value.nest(data::VERDICT, |verdict| {
                verdict.u32(data::VERDICT_CODE, code as u32);
                if let Some(chain) = chain {
                    verdict.text(data::VERDICT_CHAIN, chain);
                }
            });
        });
    }

    fn redirect(&mut self, Ports { first, last }: Ports) {
        let immediates =
            [(register::FIRST, e::REDIRECT_FIRST, first), (register::SECOND, e::REDIRECT_LAST, last)];
        let used = if first == last { &immediates[..1] } else { &immediates[..] };
        for &(register, _, port) in used {
            self.immediate(register, |value| {
                value.bytes(data::VALUE, &port.to_be_bytes());
            });
        }
        self.push("redir", |out| {
            for &(register, attribute, _) in used {
                out.u32(attribute, register);
            }
        });
    }

    fn reject(&mut self, kind: u32, code: u8) {
        self.push("reject", |out| {
            out.u32(e::REJECT_TYPE, kind).bytes(e::REJECT_CODE, &[code]);
        });
    }

    fn immediate(&mut self, register: u32, value: impl FnOnce(&mut Attributes)) {
        self.push("immediate", |out| {
            out.u32(e::IMMEDIATE_REGISTER, register).nest(e::IMMEDIATE_DATA, value);
        });
    }

    fn push(&mut self, name: &str, content: impl FnOnce(&mut Attributes)) {
        self.0.nest(ITEM, |expression| {
            expression.text(e::NAME, name).nest(e::DATA, content);
        });
    }
}
