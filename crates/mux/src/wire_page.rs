//! Holds `docs/wire.md` to the code: a reader of the page must be able to rely on it.

use crate::{
    Reason,
    frame::{Kind, MAX_CONTROL, MAX_DATA, MAX_DATAGRAM},
    handshake::{MARKER, MAX_NOISE},
    stream::MAX_STREAMS,
    window::FLOOR,
};

const PAGE: &str = include_str!("../../../docs/wire.md");

/// The files that decide what the bytes are.
const CODE: [&str; 3] = [include_str!("frame.rs"), include_str!("decoder.rs"), include_str!("handshake.rs")];

/// The page's table rows that start with these cells.
fn rows(start: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    PAGE.lines().filter(move |line| line.starts_with(start)).map(cells)
}

/// FNV-1a of the lines that are neither comments nor tests.
fn fingerprint() -> u64 {
    let without_tests = CODE.iter().map(|file| file.split("#[cfg(test)]").next().unwrap_or_default());
    let lines = without_tests.flat_map(str::lines).map(str::trim).filter(|line| !line.starts_with("//"));
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    lines.flat_map(str::as_bytes).fold(0xcbf2_9ce4_8422_2325, hash)
}

#[test]
fn the_page_was_read_again_after_the_last_change_of_the_code() {
    let line = format!("wire code {:#018x}", fingerprint());
    assert!(PAGE.contains(&line), "correct docs/wire.md, then its line: {line}");
}

#[test]
fn the_table_of_frames_is_the_one_of_the_code() {
    let kinds = (0..=u8::MAX).filter_map(|code| Kind::from_code(code).ok().map(|kind| (code, kind)));
    let expected: Vec<_> = kinds
        .map(|(code, kind)| {
            let numbered = if kind.is_numbered() { "yes" } else { "no" };
            [format!("{code:#04x}"), kind.name().to_owned(), numbered.to_owned(), kind.longest().to_string()]
        })
        .collect();
    let found: Vec<_> = rows("| 0x").map(|cells| [0, 1, 2, 3].map(|cell| cells[cell].to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_table_of_reasons_is_the_one_of_the_code() {
    for code in 0..8 {
        let reason = Reason::from_code(code);
        assert_eq!(reason.code(), code);
        let start = format!("| {code} | {reason:?} |");
        assert_eq!(rows(&start).count(), 1, "a row {start}");
    }
    assert_eq!(Reason::from_code(8), Reason::Failed);
}

#[test]
fn the_limits_and_the_marker_are_those_of_the_code() {
    let limits = [
        ("bytes before the marker", MAX_NOISE),
        ("bytes of a DATA payload", MAX_DATA),
        ("bytes of a datagram", MAX_DATAGRAM),
        ("bytes of a control message", MAX_CONTROL),
        ("streams at one time", MAX_STREAMS),
        ("credit before OPENED", FLOOR as usize),
    ];
    for (what, limit) in limits {
        assert!(PAGE.contains(&format!("| {what} | {limit} |")), "{what}: {limit}");
    }
    let marker = MARKER.map(|byte| format!("{byte:02x}")).join(" ");
    assert!(PAGE.contains(&marker), "{marker}");
}
