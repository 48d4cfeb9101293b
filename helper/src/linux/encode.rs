//! A [`Script`] as netlink messages. One function per thing that a rule can say.
//!
//! Every match loads a register and compares it, as nft itself does it (`nft --debug=netlink` prints it), so that
//! `nft list` shows the text of the script.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use ropeway_helper_api::Ports;

use crate::rules::{
    flatten::Family,
    script::{Cgroup, Chain, Elements, Match, PRIORITY, Rule, Script, Set, TABLE, Verdict},
};

use super::{
    netlink::{Attributes, Batch},
    numbers::{
        ACCEPT, HOOK_OUTPUT, INTERVAL_END, IPV4, IPV6, ITEM, SET_INTERVAL, TABLE_OWNER, TCP, chain, data,
        datatype, elements, expression as e, message, register, rule, set, table,
    },
};

/// An element of IPv6 takes 36 bytes, and an attribute holds less than 64 KiB.
const ELEMENTS_PER_MESSAGE: usize = 1800;

/// The transaction that makes the table from nothing, whatever we had there before.
pub fn creation(script: &Script) -> Batch {
    let mut batch = Batch::new();
    new_table(&mut batch); // so that there is one to delete
    delete_table(&mut batch);
    new_table(&mut batch);
    script.sets.iter().zip(1..).for_each(|(set, id)| new_set(&mut batch, set, id));
    script.chains.iter().for_each(|chain| new_chain(&mut batch, chain));
    script.chains.iter().for_each(|chain| new_rules(&mut batch, chain));
    batch
}

/// The two transactions that turn the table with `before` into one with `script`, so that every packet meets either
/// the old rules or the new ones. A transaction alone does not give that (Linux 6.18, 3000 replacements during 10 000
/// connections: 1 to 61 were missed when the whole table was made anew, 0 to 73 when the hooked chain stayed, none this way):
/// - of two hooked chains the new one is called first; a packet that has passed it when the transaction comes, and
///   meets the old one after it, meets no rule: so the hooked chain stays, and only its rules change;
/// - a new set finds its elements only some microseconds after the rules that use it are in force: so sets come first.
pub fn change(before: &Script, script: &Script) -> [Batch; 2] {
    let mut sets = Batch::new();
    missing(before, script).zip(1..).for_each(|(set, id)| new_set(&mut sets, set, id));
    let mut rules = Batch::new();
    before.chains.iter().for_each(|chain| delete_rules(&mut rules, chain));
    before.chains.iter().filter(|chain| !chain.hooked).for_each(|chain| delete_chain(&mut rules, chain));
    missing(script, before).for_each(|set| delete_set(&mut rules, set));
    script.chains.iter().filter(|chain| !chain.hooked).for_each(|chain| new_chain(&mut rules, chain));
    script.chains.iter().for_each(|chain| new_rules(&mut rules, chain));
    [sets, rules]
}

/// The sets of `wanted` that `there` has not.
fn missing<'a>(there: &Script, wanted: &'a Script) -> impl Iterator<Item = &'a Set> {
    let names: HashSet<&str> = there.sets.iter().map(|set| set.name.as_str()).collect();
    wanted.sets.iter().filter(move |set| !names.contains(set.name.as_str()))
}

fn new_table(batch: &mut Batch) {
    batch.push(message::NEW_TABLE, "the table with an owner (Linux 5.12 or newer)", |out| {
        out.text(table::NAME, TABLE).u32(table::FLAGS, TABLE_OWNER);
    });
}

pub fn delete_table(batch: &mut Batch) {
    batch.push(message::DELETE_TABLE, "the old table", |out| {
        out.text(table::NAME, TABLE);
    });
}

fn delete_rules(batch: &mut Batch, chain: &Chain) {
    batch.push(message::DELETE_RULE, format!("the old rules of chain {}", chain.name), |out| {
        out.text(rule::TABLE, TABLE).text(rule::CHAIN, &chain.name);
    });
}

fn delete_chain(batch: &mut Batch, chain: &Chain) {
    batch.push(message::DELETE_CHAIN, format!("the old chain {}", chain.name), |out| {
        out.text(chain::TABLE, TABLE).text(chain::NAME, &chain.name);
    });
}

fn delete_set(batch: &mut Batch, set: &Set) {
    batch.push(message::DELETE_SET, format!("the old set {}", set.name), |out| {
        out.text(set::TABLE, TABLE).text(set::NAME, &set.name);
    });
}

fn new_set(batch: &mut Batch, set: &Set, id: u32) {
    let (address_type, address_length) = match set.family {
        Family::V4 => (datatype::IPV4_ADDRESS, 4),
        Family::V6 => (datatype::IPV6_ADDRESS, 16),
    };
    let (flags, key_type, key_length) = match set.elements {
        Elements::Ranges(_) => (SET_INTERVAL, address_type, address_length),
        Elements::Endpoints(_) => (0, address_type << datatype::BITS | datatype::PORT, address_length + 4),
    };
    batch.push(message::NEW_SET, format!("set {}", set.name), |out| {
        out.text(set::TABLE, TABLE).text(set::NAME, &set.name).u32(set::FLAGS, flags);
        out.u32(set::KEY_TYPE, key_type).u32(set::KEY_LENGTH, key_length).u32(set::ID, id);
    });
    for chunk in elements(set).chunks(ELEMENTS_PER_MESSAGE) {
        new_elements(batch, &set.name, chunk);
    }
}

fn new_elements(batch: &mut Batch, set: &str, chunk: &[Element]) {
    batch.push(message::NEW_ELEMENTS, format!("elements of set {set}"), |out| {
        out.text(elements::TABLE, TABLE).text(elements::SET, set);
        out.nest(elements::LIST, |list| chunk.iter().for_each(|element| push_element(list, element)));
    });
}

fn push_element(list: &mut Attributes, Element { key, end }: &Element) {
    list.nest(ITEM, |element| {
        element.nest(elements::KEY, |value| {
            value.bytes(data::VALUE, key.bytes());
        });
        if *end {
            element.u32(elements::FLAGS, INTERVAL_END);
        }
    });
}

/// An element of a set as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    pub key: Key,
    /// The first address behind a range.
    pub end: bool,
}

/// Up to an IPv6 address and a port, each padded to 4 bytes; in one piece, because there are a hundred thousand of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    bytes: [u8; 20],
    length: usize,
}

impl Key {
    fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::default().and(&address.octets()),
            IpAddr::V6(address) => Self::default().and(&address.octets()),
        }
    }

    fn and(mut self, part: &[u8]) -> Self {
        self.bytes[self.length..][..part.len()].copy_from_slice(part);
        self.length += part.len().next_multiple_of(4);
        self
    }

    /// None when no set of ours has such a key.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let known = [4, 8, 16, 20].contains(&bytes.len()); // address, or address and padded port
        known.then(|| Self::default().and(bytes))
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A range is its first address and the first one behind; one that goes up to the last address there is has no end.
pub fn elements(set: &Set) -> Vec<Element> {
    match &set.elements {
        Elements::Ranges(ranges) => {
            ranges.iter().flat_map(|&range| range_elements(set.family, range)).collect()
        }
        Elements::Endpoints(endpoints) => endpoints.iter().map(endpoint_element).collect(),
    }
}

fn range_elements(family: Family, (first, last): (u128, u128)) -> impl Iterator<Item = Element> {
    let end = match family {
        Family::V4 => (last < u32::MAX.into()).then(|| last + 1),
        Family::V6 => last.checked_add(1),
    };
    let element = move |number, end| Element { key: Key::address(family.address(number)), end };
    [element(first, false)].into_iter().chain(end.map(|end| element(end, true)))
}

fn endpoint_element(endpoint: &SocketAddr) -> Element {
    Element { key: Key::address(endpoint.ip()).and(&endpoint.port().to_be_bytes()), end: false }
}

fn new_chain(batch: &mut Batch, chain: &Chain) {
    batch.push(message::NEW_CHAIN, format!("chain {}", chain.name), |out| {
        out.text(chain::TABLE, TABLE).text(chain::NAME, &chain.name);
        if chain.hooked {
            out.nest(chain::HOOK, |hook| {
                hook.u32(chain::HOOK_NUMBER, HOOK_OUTPUT).u32(chain::HOOK_PRIORITY, PRIORITY as u32);
            });
            out.u32(chain::POLICY, ACCEPT).text(chain::TYPE, "nat");
        }
    });
}

fn new_rules(batch: &mut Batch, chain: &Chain) {
    chain.rules.iter().for_each(|rule| new_rule(batch, &chain.name, rule));
}

fn new_rule(batch: &mut Batch, chain: &str, rule: &Rule) {
    batch.push(message::NEW_RULE, format!("rule \"{rule}\" of chain {chain}"), |out| {
        out.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
        out.nest(rule::EXPRESSIONS, |list| {
            let mut expressions = Expressions(list);
            rule.matches.iter().for_each(|item| expressions.push_match(item));
            expressions.push_verdict(&rule.verdict);
        });
    });
}

struct Expressions<'a>(&'a mut Attributes);

impl Expressions<'_> {
    fn push_match(&mut self, item: &Match) {
        match item {
            Match::Tcp => self.protocol(e::EQUAL),
            Match::NotTcp => self.protocol(e::NOT_EQUAL),
            Match::NotSyn => self.not_syn(),
            Match::Mark(mark) => self.meta(e::META_MARK, &mark.to_ne_bytes()),
            Match::User(uid) => self.meta(e::META_USER, &uid.to_ne_bytes()),
            Match::Cgroup(cgroup) => self.cgroup(*cgroup),
            Match::LocalDestination => self.local_destination(),
            Match::Ports(ports) => self.ports(*ports),
            Match::Destination(family, set) => self.destination(*family, set),
            Match::Endpoint(family, set) => self.endpoint(*family, set),
        }
    }

    fn push_verdict(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Return => self.verdict(data::RETURN, None),
            Verdict::Jump(chain) => self.verdict(data::JUMP, Some(chain)),
            Verdict::Redirect(ports) => self.redirect(*ports),
        }
    }

    fn protocol(&mut self, operation: u32) {
        self.load_meta(e::META_PROTOCOL);
        self.compare(operation, &[TCP]);
    }

    /// Byte 13 of a TCP header has the flags FIN 1, SYN 2, RST 4, ACK 16.
    fn not_syn(&mut self) {
        self.protocol(e::EQUAL);
        self.load_payload(register::FIRST, e::TRANSPORT_HEADER, 13, 1);
        self.push("bitwise", |out| {
            out.u32(e::BITWISE_SOURCE, register::FIRST).u32(e::BITWISE_TARGET, register::FIRST);
            out.u32(e::BITWISE_LENGTH, 1);
            out.nest(e::BITWISE_MASK, |value| {
                value.bytes(data::VALUE, &[1 | 2 | 4 | 16]);
            });
            out.nest(e::BITWISE_XOR, |value| {
                value.bytes(data::VALUE, &[0]);
            });
        });
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

    fn local_destination(&mut self) {
        self.push("fib", |out| {
            out.u32(e::FIB_REGISTER, register::FIRST).u32(e::FIB_RESULT, e::FIB_ADDRESS_TYPE);
            out.u32(e::FIB_FLAGS, e::FIB_DESTINATION);
        });
        self.compare(e::EQUAL, &e::LOCAL.to_ne_bytes());
    }

    fn ports(&mut self, Ports { first, last }: Ports) {
        self.protocol(e::EQUAL);
        self.load_port(register::FIRST);
        if first == last {
            return self.compare(e::EQUAL, &first.to_be_bytes());
        }
        self.push("range", |out| {
            out.u32(e::RANGE_REGISTER, register::FIRST).u32(e::RANGE_OPERATION, e::EQUAL);
            for (kind, port) in [(e::RANGE_FROM, first), (e::RANGE_TO, last)] {
                out.nest(kind, |value| {
                    value.bytes(data::VALUE, &port.to_be_bytes());
                });
            }
        });
    }

    fn destination(&mut self, family: Family, set: &str) {
        self.load_destination(family);
        self.lookup(set);
    }

    /// The port stands behind the words of the address, so what has to be compared comes first.
    fn endpoint(&mut self, family: Family, set: &str) {
        self.protocol(e::EQUAL);
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
