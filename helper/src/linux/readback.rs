//! Questions about a table that the kernel has: whose it is, what it has, and whether it is the one that was wanted.
//!
//! Bytes that were sent are no use for that: the kernel reorders attributes and adds its defaults. So after loading it
//! is names, numbers of rules, and every element of every set (0.1 s for 50 000 ranges); later the kernel's own bytes
//! of then and of now (`picture`).

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    io,
};

use nix::errno::Errno;
use ropeway_helper_api::Count;

use crate::rules::script::{Fnv, Script, Set, Table};

use super::{
    encode::{self, Contents, Element, Key},
    netlink::{Attributes, Message, Socket, attributes, find},
    numbers::{INTERVAL_END, chain, data, elements, message, object, rule, set, table},
};

/// A list that was made while somebody else changed their own table has to be asked for again. Who changes rules
/// that often gets the error.
const TRIES: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is no table.
    Absent,
    /// A table that belongs to no socket.
    Nobody,
    Us,
    Another,
}

/// Which table it is: a new one of the same name has another handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub owner: Owner,
    pub handle: u64,
}

pub fn identity(socket: &Socket, which: Table) -> io::Result<Identity> {
    let us = socket.port()?;
    let mut found = Identity { owner: Owner::Absent, handle: 0 };
    let asked = socket.get(
        message::GET_TABLE,
        |out| {
            out.text(table::NAME, which.name());
        },
        |answer| {
            found.owner = match answer.u32(table::OWNER) {
                None => Owner::Nobody,
                Some(port) if port == us => Owner::Us,
                Some(_) => Owner::Another,
            };
            found.handle = answer.u64(table::HANDLE).unwrap_or_default();
        },
    );
    match asked {
        Err(error) if error.raw_os_error() != Some(Errno::ENOENT as i32) => Err(error),
        _ => Ok(found),
    }
}

pub fn owner(socket: &Socket, table: Table) -> io::Result<Owner> {
    Ok(identity(socket, table)?.owner)
}

/// What the table has.
pub fn contents(socket: &Socket, table: Table) -> io::Result<Contents> {
    patiently(|| {
        let counters = read_counters(socket, table)?.into_keys().collect();
        let mut contents = Contents { sets: set_names(socket, table)?, counters, ..Contents::default() };
        chains(socket, table, |answer, name| {
            let hooked = answer.attribute(chain::HOOK).is_some();
            let names = if hooked { &mut contents.hooked } else { &mut contents.jumped_to };
            names.insert(name.to_owned());
        })?;
        Ok(contents)
    })
}

/// What the counters of the table say, by their names.
pub fn counters(socket: &Socket, table: Table) -> io::Result<BTreeMap<String, Count>> {
    patiently(|| read_counters(socket, table))
}

/// What differs, in words; None when the table is the wanted one.
pub fn difference(socket: &Socket, script: &Script) -> io::Result<Option<String>> {
    patiently(|| compare(socket, script))
}

/// A number that stays while nobody changes the chains, rules and sets of the table.
pub fn picture(socket: &Socket, table: Table) -> io::Result<u64> {
    patiently(|| {
        let mut hasher = Fnv::default();
        chains(socket, table, |answer, _| hasher.write(answer.attributes()))?;
        rules(socket, table, |answer, _| hasher.write(answer.attributes()))?;
        sets(socket, table, |answer, _| hasher.write(answer.attributes()))?;
        Ok(hasher.finish())
    })
}

/// The same for the elements of its sets: 0.1 s for 50 000 ranges.
pub fn picture_of_elements(socket: &Socket, table: Table) -> io::Result<u64> {
    patiently(|| {
        let mut hasher = Fnv::default();
        for set in set_names(socket, table)? {
            hasher.write(set.as_bytes());
            elements_of(socket, table, &set, |element| hasher.write(element))?;
        }
        Ok(hasher.finish())
    })
}

fn patiently<T>(mut ask: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        match ask() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

fn compare(socket: &Socket, script: &Script) -> io::Result<Option<String>> {
    let (owner, expected) =
        (owner(socket, script.table)?, if script.table.owned() { Owner::Us } else { Owner::Nobody });
    if owner != expected {
        return Ok(Some(format!("its owner is {owner:?}")));
    }
    let wanted = script.chains.iter().map(|chain| (chain.name.clone(), chain.rules.len())).collect();
    let found = rules_by_chain(socket, script.table)?;
    if found != wanted {
        return Ok(Some(format!("rules in chains: {found:?} instead of {wanted:?}")));
    }
    let wanted: BTreeSet<_> = script.sets.iter().map(|set| set.name.clone()).collect();
    let found = set_names(socket, script.table)?;
    if found != wanted {
        return Ok(Some(format!("sets: {found:?} instead of {wanted:?}")));
    }
    let wanted: BTreeSet<_> = script.counters.iter().cloned().collect();
    let found: BTreeSet<_> = read_counters(socket, script.table)?.into_keys().collect();
    if found != wanted {
        return Ok(Some(format!("counters: {found:?} instead of {wanted:?}")));
    }
    for set in &script.sets {
        if parsed_elements(socket, script.table, set)? != sorted(encode::elements(set)) {
            return Ok(Some(format!("the elements of set {}", set.name)));
        }
    }
    Ok(None)
}

fn rules_by_chain(socket: &Socket, table: Table) -> io::Result<BTreeMap<String, usize>> {
    let mut by_chain = BTreeMap::new();
    chains(socket, table, |_, name| {
        by_chain.insert(name.to_owned(), 0);
    })?;
    rules(socket, table, |_, name| *by_chain.entry(name.to_owned()).or_default() += 1)?;
    Ok(by_chain)
}

fn read_counters(socket: &Socket, table: Table) -> io::Result<BTreeMap<String, Count>> {
    let mut counters = BTreeMap::new();
    dump_of(socket, table, message::GET_OBJECT, (object::TABLE, object::NAME), |answer, name| {
        let number = |kind| {
            let bytes = find(answer.attribute(object::DATA)?, kind)?.first_chunk()?;
            Some(u64::from_be_bytes(*bytes))
        };
        let of = |kind| number(kind).unwrap_or_default();
        let count = Count { packets: of(object::COUNTED_PACKETS), bytes: of(object::COUNTED_BYTES) };
        counters.insert(name.to_owned(), count);
    })?;
    Ok(counters)
}

fn set_names(socket: &Socket, table: Table) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    sets(socket, table, |_, name| {
        names.insert(name.to_owned());
    })?;
    Ok(names)
}

fn parsed_elements(socket: &Socket, table: Table, set: &Set) -> io::Result<Vec<Element>> {
    let mut found = vec![];
    elements_of(socket, table, &set.name, |element| found.extend(parse(element)))?;
    Ok(sorted(found))
}

fn chains(socket: &Socket, table: Table, each: impl FnMut(&Message, &str)) -> io::Result<()> {
    dump_of(socket, table, message::GET_CHAIN, (chain::TABLE, chain::NAME), each)
}

fn rules(socket: &Socket, table: Table, each: impl FnMut(&Message, &str)) -> io::Result<()> {
    dump_of(socket, table, message::GET_RULE, (rule::TABLE, rule::CHAIN), each)
}

fn sets(socket: &Socket, table: Table, each: impl FnMut(&Message, &str)) -> io::Result<()> {
    dump_of(socket, table, message::GET_SET, (set::TABLE, set::NAME), each)
}

/// `of` and `name` are attributes: the table's name, and that of the thing. Older kernels don't filter chains, so we do.
fn dump_of(
    socket: &Socket,
    table: Table,
    kind: u16,
    (of, name): (u16, u16),
    mut each: impl FnMut(&Message, &str),
) -> io::Result<()> {
    let filter = |out: &mut Attributes| {
        out.text(of, table.name());
    };
    socket.dump(kind, filter, |answer| {
        if let (true, Some(name)) = (answer.text(of) == Some(table.name()), answer.text(name)) {
            each(answer, name);
        }
    })
}

fn elements_of(socket: &Socket, table: Table, set: &str, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let of_set = |out: &mut Attributes| {
        out.text(elements::TABLE, table.name()).text(elements::SET, set);
    };
    socket.dump(message::GET_ELEMENTS, of_set, |answer| {
        let list = answer.attribute(elements::LIST).unwrap_or_default();
        attributes(list).for_each(|(_, element)| each(element));
    })
}

fn parse(element: &[u8]) -> Option<Element> {
    let key = Key::parse(find(find(element, elements::KEY)?, data::VALUE)?)?;
    let flags = find(element, elements::FLAGS).and_then(|flags| flags.first_chunk().copied());
    Some(Element { key, end: flags.is_some_and(|flags| u32::from_be_bytes(flags) & INTERVAL_END != 0) })
}

/// The kernel lists them in an order of its own.
fn sorted(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort_unstable();
    elements
}
