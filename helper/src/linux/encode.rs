//! A [`Script`] as netlink messages: tables, sets, chains; what a rule says is in `expressions`.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::{IpAddr, SocketAddr},
};

use crate::rules::{
    flatten::Family,
    script::{Chain, Elements, Hook, Rule, Script, Set, Table},
};

use super::{
    expressions,
    netlink::{Attributes, Batch},
    numbers::{
        ACCEPT, HOOK_FORWARD, HOOK_INPUT, HOOK_OUTPUT, HOOK_PREROUTING, INTERVAL_END, ITEM, SET_INTERVAL,
        TABLE_OWNER, chain, data, datatype, elements, message, object, rule, set, table,
    },
};

/// An element of IPv6 takes 36 bytes, and an attribute holds less than 64 KiB.
const ELEMENTS_PER_MESSAGE: usize = 1800;

/// The table that shows what the kernel can do.
const PROBE: &str = "ropeway_probe";

/// What a table has, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    pub hooked: BTreeSet<String>,
    pub jumped_to: BTreeSet<String>,
    pub counters: BTreeSet<String>,
    pub sets: BTreeSet<String>,
}

/// The transaction that makes the table from nothing, whatever there was before.
pub fn creation(script: &Script) -> Batch {
    let mut batch = Batch::new();
    new_table(&mut batch, script.table); // so that there is one to delete
    delete_table(&mut batch, script.table);
    new_table(&mut batch, script.table);
    script.counters.iter().for_each(|counter| new_counter(&mut batch, script.table, counter));
    add(&mut batch, script, |_| true, |_| true);
    batch
}

/// The transactions that turn a table of ours, which has `before`, into one with `script`, so that every packet meets
/// either the old rules or the new ones. A transaction alone does not give that (Linux 6.18, 3000 replacements during
/// 10 000 connections: 1 to 61 were missed when the whole table was made anew, 0 to 73 when the hooked chain stayed,
/// none this way):
/// - of two hooked chains the new one is called first; a packet that has passed it when the transaction comes, and
///   meets the old one after it, meets no rule: so the hooked chain stays, and only its rules change;
/// - a new set finds its elements only some microseconds after the rules that use it are in force, and the chains of a
///   transaction get their new rules one after the other: so what is new comes first, and what is old goes last.
pub fn change(before: &Contents, script: &Script) -> [Batch; 3] {
    let mut new = Batch::new();
    for counter in script.counters.iter().filter(|name| !before.counters.contains(*name)) {
        new_counter(&mut new, script.table, counter);
    }
    let absent = |chain: &Chain| !before.jumped_to.contains(&chain.name);
    add(
        &mut new,
        script,
        |set| !before.sets.contains(&set.name),
        |chain| chain.hook.is_none() && absent(chain),
    );
    [new, switch(before, script), removal(before, script)]
}

/// A table with an owner that is gone again at the end.
pub fn probe() -> Batch {
    let mut batch = Batch::new();
    batch.push(message::NEW_TABLE, "a table with an owner (Linux 5.12 or newer)", |out| {
        out.text(table::NAME, PROBE).u32(table::FLAGS, TABLE_OWNER);
    });
    batch.push(message::DELETE_TABLE, "a table with an owner", |out| {
        out.text(table::NAME, PROBE);
    });
    batch
}

fn switch(before: &Contents, script: &Script) -> Batch {
    let mut batch = Batch::new();
    before.hooked.iter().for_each(|chain| delete_rules(&mut batch, script.table, chain));
    let wanted: BTreeMap<&str, &Chain> = hooked(script).map(|chain| (chain.name.as_str(), chain)).collect();
    for chain in before.hooked.iter().filter(|name| !wanted.contains_key(name.as_str())) {
        delete_chain(&mut batch, script.table, chain);
    }
    for chain in wanted.values().filter(|chain| !before.hooked.contains(&chain.name)) {
        new_chain(&mut batch, script.table, chain);
    }
    for chain in wanted.values() {
        new_rules(&mut batch, script.table, chain);
    }
    batch
}

/// Old chains may jump to each other, so first they lose their rules.
fn removal(before: &Contents, script: &Script) -> Batch {
    let mut batch = Batch::new();
    let chains: HashSet<&str> = script.chains.iter().map(|chain| chain.name.as_str()).collect();
    let old = || before.jumped_to.iter().filter(|name| !chains.contains(name.as_str()));
    old().for_each(|chain| delete_rules(&mut batch, script.table, chain));
    old().for_each(|chain| delete_chain(&mut batch, script.table, chain));
    let sets: HashSet<&str> = script.sets.iter().map(|set| set.name.as_str()).collect();
    for set in before.sets.iter().filter(|name| !sets.contains(name.as_str())) {
        delete_set(&mut batch, script.table, set);
    }
    for counter in before.counters.iter().filter(|name| !script.counters.contains(name)) {
        delete_counter(&mut batch, script.table, counter);
    }
    batch
}

fn hooked(script: &Script) -> impl Iterator<Item = &Chain> {
    script.chains.iter().filter(|chain| chain.hook.is_some())
}

/// Chains before rules: they jump to each other.
fn add(batch: &mut Batch, script: &Script, set: impl Fn(&Set) -> bool, chain: impl Fn(&Chain) -> bool) {
    let table = script.table;
    script.sets.iter().filter(|s| set(s)).zip(1..).for_each(|(set, id)| new_set(batch, table, set, id));
    script.chains.iter().filter(|c| chain(c)).for_each(|chain| new_chain(batch, table, chain));
    script.chains.iter().filter(|c| chain(c)).for_each(|chain| new_rules(batch, table, chain));
}

fn new_table(batch: &mut Batch, table: Table) {
    let subject = if table.owned() { "the table with an owner (Linux 5.12 or newer)" } else { "the table" };
    batch.push(message::NEW_TABLE, subject, |out| {
        let flags = if table.owned() { TABLE_OWNER } else { 0 };
        out.text(table::NAME, table.name()).u32(table::FLAGS, flags);
    });
}

pub fn delete_table(batch: &mut Batch, table: Table) {
    batch.push(message::DELETE_TABLE, "the old table", |out| {
        out.text(table::NAME, table.name());
    });
}

fn delete_rules(batch: &mut Batch, table: Table, chain: &str) {
    batch.push(message::DELETE_RULE, format!("the old rules of chain {chain}"), |out| {
        out.text(rule::TABLE, table.name()).text(rule::CHAIN, chain);
    });
}

fn delete_chain(batch: &mut Batch, table: Table, chain: &str) {
    batch.push(message::DELETE_CHAIN, format!("the old chain {chain}"), |out| {
        out.text(chain::TABLE, table.name()).text(chain::NAME, chain);
    });
}

fn delete_set(batch: &mut Batch, table: Table, set: &str) {
    batch.push(message::DELETE_SET, format!("the old set {set}"), |out| {
        out.text(set::TABLE, table.name()).text(set::NAME, set);
    });
}

/// From 0.
fn new_counter(batch: &mut Batch, table: Table, counter: &str) {
    batch.push(message::NEW_OBJECT, format!("counter {counter}"), |out| {
        out.text(object::TABLE, table.name()).text(object::NAME, counter);
        out.u32(object::TYPE, object::COUNTER).nest(object::DATA, |_| {});
    });
}

fn delete_counter(batch: &mut Batch, table: Table, counter: &str) {
    batch.push(message::DELETE_OBJECT, format!("the old counter {counter}"), |out| {
        out.text(object::TABLE, table.name()).text(object::NAME, counter);
        out.u32(object::TYPE, object::COUNTER);
    });
}

fn new_set(batch: &mut Batch, table: Table, set: &Set, id: u32) {
    let (address_type, address_length) = match set.family {
        Family::V4 => (datatype::IPV4_ADDRESS, 4),
        Family::V6 => (datatype::IPV6_ADDRESS, 16),
    };
    let (flags, key_type, key_length) = match set.elements {
        Elements::Ranges(_) => (SET_INTERVAL, address_type, address_length),
        Elements::Endpoints(_) => (0, address_type << datatype::BITS | datatype::PORT, address_length + 4),
    };
    batch.push(message::NEW_SET, format!("set {}", set.name), |out| {
        out.text(set::TABLE, table.name()).text(set::NAME, &set.name).u32(set::FLAGS, flags);
        out.u32(set::KEY_TYPE, key_type).u32(set::KEY_LENGTH, key_length).u32(set::ID, id);
    });
    for chunk in elements(set).chunks(ELEMENTS_PER_MESSAGE) {
        new_elements(batch, table, &set.name, chunk);
    }
}

fn new_elements(batch: &mut Batch, table: Table, set: &str, chunk: &[Element]) {
    batch.push(message::NEW_ELEMENTS, format!("elements of set {set}"), |out| {
        out.text(elements::TABLE, table.name()).text(elements::SET, set);
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

fn new_chain(batch: &mut Batch, table: Table, chain: &Chain) {
    batch.push(message::NEW_CHAIN, format!("chain {}", chain.name), |out| {
        out.text(chain::TABLE, table.name()).text(chain::NAME, &chain.name);
        let Some(hook) = chain.hook else { return };
        out.nest(chain::HOOK, |nest| {
            nest.u32(chain::HOOK_NUMBER, hook_number(hook)).u32(chain::HOOK_PRIORITY, hook.priority() as u32);
        });
        out.u32(chain::POLICY, ACCEPT).text(chain::TYPE, hook.kind());
    });
}

fn hook_number(hook: Hook) -> u32 {
    match hook {
        Hook::NatPrerouting | Hook::FilterPrerouting => HOOK_PREROUTING,
        Hook::FilterInput => HOOK_INPUT,
        Hook::Forward => HOOK_FORWARD,
        Hook::NatOutput | Hook::FilterOutput | Hook::Leaving => HOOK_OUTPUT,
    }
}

fn new_rules(batch: &mut Batch, table: Table, chain: &Chain) {
    chain.rules.iter().for_each(|rule| new_rule(batch, table, &chain.name, rule));
}

fn new_rule(batch: &mut Batch, table: Table, chain: &str, rule: &Rule) {
    batch.push(message::NEW_RULE, format!("rule \"{rule}\" of chain {chain}"), |out| {
        out.text(rule::TABLE, table.name()).text(rule::CHAIN, chain);
        out.nest(rule::EXPRESSIONS, |list| expressions::push(list, rule));
    });
}
