//! The file's text: one marked block per session behind everything else, which is kept byte for byte. Pure.
//!
//! ```text
//! # ropeway 7: names of a tunnel, gone when it ends
//! 10.1.2.3 db.corp.example # ropeway 7
//! # ropeway 7: end
//! ```
//! Each of these lines is recognised by itself, wherever an editor has moved it; so is one that a crash cut short.
//! With `##` in the first line, the line end before it is ours as well: the file had none.
//! A marker contains nothing that a client chose.

use std::{collections::HashSet, io::Write, net::IpAddr};

use ropeway_helper_api::HostEntry;

const TAG: &str = "# ropeway ";
const BEGIN: &str = ": names of a tunnel, gone when it ends";
const END: &str = ": end";

/// The lines of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Counted by the helper.
    pub number: u64,
    /// Checked ones only.
    pub entries: Vec<HostEntry>,
}

/// The file with these blocks behind it; it has no lines of ours, see [`strip`].
pub fn merge(file: &[u8], blocks: &[&Block]) -> Vec<u8> {
    let mut text = file.to_vec();
    if blocks.is_empty() {
        return text;
    }
    let joined = text.last().is_some_and(|byte| *byte != b'\n');
    if joined {
        text.extend_from_slice(b"\n#");
    }
    for block in blocks {
        write_block(&mut text, block);
    }
    text
}

/// The file without any line of ours.
pub fn strip(file: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(file.len());
    let mut before = Line::Foreign;
    let mut joined_at = None;
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let kind = classify(line, before);
        match kind {
            Line::Foreign => kept.extend_from_slice(line),
            Line::Begin { joined: true } => joined_at = Some(kept.len()),
            Line::Begin { joined: false } | Line::Entry | Line::End => {}
        }
        before = kind;
    }
    // what came behind the block since then needs the line end
    if joined_at == Some(kept.len()) && kept.last() == Some(&b'\n') {
        kept.pop();
    }
    kept
}

/// Every name that the file gives an address, in small letters. Ask it of a stripped file.
pub fn names(file: &[u8]) -> HashSet<Vec<u8>> {
    let lines = file.split(|byte| *byte == b'\n');
    let uncommented = lines.filter_map(|line| line.split(|byte| *byte == b'#').next());
    let words = |line: &[u8]| {
        line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).skip(1).map(lower).collect()
    };
    uncommented.flat_map::<Vec<_>, _>(words).collect()
}

fn lower(word: &[u8]) -> Vec<u8> {
    word.to_ascii_lowercase()
}

fn write_block(text: &mut Vec<u8>, block: &Block) {
    let number = block.number;
    let _ = writeln!(text, "{TAG}{number}{BEGIN}"); // a vector takes everything
    for HostEntry { name, address } in &block.entries {
        let _ = writeln!(text, "{address} {name} {TAG}{number}");
    }
    let _ = writeln!(text, "{TAG}{number}{END}");
}

#[derive(Clone, Copy)]
enum Line {
    Foreign,
    Begin { joined: bool },
    Entry,
    End,
}

/// `before` is what the line before is: behind one of ours, a line that a crash cut short can be ours as well.
fn classify(line: &[u8], before: Line) -> Line {
    let Ok(text) = str::from_utf8(line) else {
        return Line::Foreign;
    };
    let complete = text.strip_suffix('\n');
    let text = complete.map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)); // an editor's idea of line ends
    let cut = complete.is_none();
    if let Some(marker) = classify_marker(text, cut) {
        return marker;
    }
    let is_torn = || match before {
        Line::Foreign => false,
        Line::End => TAG.starts_with(text),
        Line::Begin { .. } | Line::Entry => TAG.starts_with(text) || is_cut_entry(text),
    };
    if is_entry(text) || (cut && is_torn()) { Line::Entry } else { Line::Foreign }
}

fn classify_marker(text: &str, cut: bool) -> Option<Line> {
    let (joined, text) = match text.strip_prefix('#') {
        Some(rest) if rest.starts_with(TAG) => (true, rest),
        _ => (false, text),
    };
    let rest = behind_number(text.strip_prefix(TAG)?)?;
    match rest {
        BEGIN => Some(Line::Begin { joined }),
        END if !joined => Some(Line::End),
        _ if cut && BEGIN.starts_with(rest) => Some(Line::Begin { joined }),
        _ if cut && END.starts_with(rest) && !joined => Some(Line::End),
        _ => None,
    }
}

fn is_entry(text: &str) -> bool {
    let Some((entry, number)) = text.split_once(TAG) else {
        return false;
    };
    let mut words = entry.split(' ');
    behind_number(number) == Some("")
        && words.next().is_some_and(|address| address.parse::<IpAddr>().is_ok())
        && words.next().is_some_and(is_name)
        && words.eq([""])
}

/// Any beginning of an entry.
fn is_cut_entry(text: &str) -> bool {
    let (address, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (name, tag) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_tag = TAG.starts_with(tag) || tag.strip_prefix(TAG).and_then(behind_number) == Some("");
    address.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.' || b == b':') && is_name(name) && is_tag
}

/// As far as this file needs to know; what a name is, says `names`.
fn is_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// What comes behind the decimal number at the beginning; None when there is no number.
fn behind_number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}
