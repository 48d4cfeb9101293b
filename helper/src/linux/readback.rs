//! Questions about the table that the kernel has: whose it is, and whether it is the one that was wanted.
//!
//! Bytes are no use for that: the kernel reorders attributes and adds its defaults. So it is names, numbers of
//! rules, and every element of every set (0.1 s for 50 000 ranges).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use nix::errno::Errno;

use crate::rules::script::{Script, Set, TABLE};

use super::{
    encode::{self, Element, Key},
    netlink::{Attributes, Socket, attributes, find},
    numbers::{INTERVAL_END, chain, data, elements, message, rule, set, table},
};

/// A list that was made while somebody else changed their own table has to be asked for again. Who changes rules
/// that often gets the error.
const TRIES: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is no table.
    Absent,
    /// A table that belongs to no socket: not made by a helper, or what is left of somebody's saved rules.
    Nobody,
    Us,
    Another,
}

pub fn owner(socket: &Socket) -> io::Result<Owner> {
    let us = socket.port()?;
    let mut owner = Owner::Absent;
    let asked = socket.get(
        message::GET_TABLE,
        |out| {
            out.text(table::NAME, TABLE);
        },
        |answer| {
            owner = match answer.u32(table::OWNER) {
                None => Owner::Nobody,
                Some(port) if port == us => Owner::Us,
                Some(_) => Owner::Another,
            }
        },
    );
    match asked {
        Err(error) if error.raw_os_error() != Some(Errno::ENOENT as i32) => Err(error),
        _ => Ok(owner),
    }
}

/// What differs, in words; None when the table is the wanted one.
pub fn difference(socket: &Socket, script: &Script) -> io::Result<Option<String>> {
    let mut tries = 0;
    loop {
        match compare(socket, script) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

fn compare(socket: &Socket, script: &Script) -> io::Result<Option<String>> {
    let owner = owner(socket)?;
    if owner != Owner::Us {
        return Ok(Some(format!("its owner is {owner:?}")));
    }
    let wanted = script.chains.iter().map(|chain| (chain.name.clone(), chain.rules.len())).collect();
    let found = rules_by_chain(socket)?;
    if found != wanted {
        return Ok(Some(format!("rules in chains: {found:?} instead of {wanted:?}")));
    }
    let wanted: BTreeSet<_> = script.sets.iter().map(|set| set.name.clone()).collect();
    let found = set_names(socket)?;
    if found != wanted {
        return Ok(Some(format!("sets: {found:?} instead of {wanted:?}")));
    }
    for set in &script.sets {
        if sorted(elements_of(socket, set)?) != sorted(encode::elements(set)) {
            return Ok(Some(format!("the elements of set {}", set.name)));
        }
    }
    Ok(None)
}

fn rules_by_chain(socket: &Socket) -> io::Result<BTreeMap<String, usize>> {
    let mut chains = BTreeMap::new();
    let everything = |_: &mut Attributes| {}; // the kernel has no filter for chains and sets that all versions know
    socket.dump(message::GET_CHAIN, everything, |answer| {
        if let (Some(TABLE), Some(name)) = (answer.text(chain::TABLE), answer.text(chain::NAME)) {
            chains.insert(name.to_owned(), 0);
        }
    })?;
    socket.dump(message::GET_RULE, everything, |answer| {
        if let (Some(TABLE), Some(name)) = (answer.text(rule::TABLE), answer.text(rule::CHAIN)) {
            *chains.entry(name.to_owned()).or_default() += 1;
        }
    })?;
    Ok(chains)
}

fn set_names(socket: &Socket) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let of_table = |out: &mut Attributes| {
        out.text(set::TABLE, TABLE);
    };
    socket
        .dump(message::GET_SET, of_table, |answer| names.extend(answer.text(set::NAME).map(str::to_owned)))?;
    Ok(names)
}

fn elements_of(socket: &Socket, set: &Set) -> io::Result<Vec<Element>> {
    let mut found = vec![];
    let of_set = |out: &mut Attributes| {
        out.text(elements::TABLE, TABLE).text(elements::SET, &set.name);
    };
    socket.dump(message::GET_ELEMENTS, of_set, |answer| {
        let list = answer.attribute(elements::LIST).unwrap_or_default();
        found.extend(attributes(list).filter_map(|(_, element)| parse(element)));
    })?;
    Ok(found)
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
