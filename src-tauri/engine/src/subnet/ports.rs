//! `80`, `8000-9000`, `80,443,8000-9000`.

use std::fmt;

use ropeway_helper_api::Ports;

use super::SubnetError;
use crate::spelling::{Part, decimal};

/// Writes ports as they are typed.
pub struct Listed<'a>(pub &'a [Ports]);

/// Reads what follows the colon; the result is in order and no two ranges touch.
pub fn parse(list: Part) -> Result<Vec<Ports>, SubnetError> {
    if list.text().is_empty() {
        let without = list.with_separator();
        return Err(without
            .mistake("The ports after the colon are missing.")
            .suggest(without.replaced_by("")));
    }
    let ranges: Result<Vec<Ports>, SubnetError> = list.split(',').map(range).collect();
    ranges.map(merged)
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Ports { first, last }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

fn range(part: Part) -> Result<Ports, SubnetError> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (port(first)?, port(last)?);
    if last < first {
        let turned = part.replaced_by(&format!("{last}-{first}"));
        return Err(part.mistake("The lower port comes first.").suggest(turned));
    }
    Ok(Ports { first, last })
}

fn port(part: Part) -> Result<u16, SubnetError> {
    if part.text().is_empty() {
        return Err(part.with_separator().mistake("A port is missing here."));
    }
    match decimal(part.text()) {
        None => {
            Err(part.mistake(format!("“{}” is not a port; ports are numbers from 1 to 65535.", part.text())))
        }
        Some(0) => Err(part.mistake("There is no port 0; ports go from 1 to 65535.")),
        Some(number) => number.try_into().map_err(|_| part.mistake("Ports go up to 65535.")),
    }
}

fn merged(mut ranges: Vec<Ports>) -> Vec<Ports> {
    ranges.sort_unstable();
    let mut apart: Vec<Ports> = vec![];
    for next in ranges {
        match apart.last_mut() {
            Some(before) if u32::from(next.first) <= u32::from(before.last) + 1 => {
                before.last = before.last.max(next.last);
            }
            _ => apart.push(next),
        }
    }
    apart
}
