//! The file's text: whatever is in it, our blocks come and go without a trace.

use proptest::{collection::vec, prelude::*};
use ropeway_helper::hosts::{
    journal::Unfinished,
    text::{Block, merge, names, strip},
};
use ropeway_helper_api::HostEntry;

#[test]
fn a_block_says_whose_it_is_and_stands_at_the_end() {
    let text = merge(b"127.0.0.1 localhost\n", &[&block(7, &["10.1.2.3 db.corp.example", "fd00::1 wiki"])]);
    let expected = "127.0.0.1 localhost\n\
        # ropeway 7: names of a tunnel, gone when it ends\n\
        10.1.2.3 db.corp.example # ropeway 7\n\
        fd00::1 wiki # ropeway 7\n\
        # ropeway 7: end\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn what_users_write_while_a_block_is_there_is_kept() {
    for before in ["", "1.1.1.1 one\n", "1.1.1.1 one"] {
        let merged = merge(before.as_bytes(), &[&block(1, &["10.0.0.1 a"])]);
        let above = [b"9.9.9.9 above\n", &merged[..]].concat();
        assert_eq!(text_of(&strip(&above)), format!("9.9.9.9 above\n{before}"));
        let below = [&merged[..], b"9.9.9.9 below"].concat();
        let line_end = if before == "1.1.1.1 one" { "\n" } else { "" };
        assert_eq!(text_of(&strip(&below)), format!("{before}{line_end}9.9.9.9 below"));
        let inside = text_of(&merged).replace("10.0.0.1 a #", "9.9.9.9 inside\n10.0.0.1 a #");
        assert_eq!(text_of(&strip(inside.as_bytes())), format!("{before}{line_end}9.9.9.9 inside\n"));
    }
}

#[test]
fn an_editor_may_change_the_line_ends() {
    let merged = text_of(&merge(b"1.1.1.1 one\n", &[&block(1, &["10.0.0.1 a"])]));
    assert_eq!(text_of(&strip(merged.replace('\n', "\r\n").as_bytes())), "1.1.1.1 one\r\n");
}

#[test]
fn lines_of_others_that_look_alike_are_kept() {
    let foreign = "# BEGIN ropeway\n# ropeway\n# ropeway is nice\n## ropeway 1\n# ropeway 1: names\n10.0.0.1 a # ropeway\n\
        10.0.0.1 a # ropeway 1 \n10.0.0.1 a b # ropeway 1\nx a # ropeway 1\n# ropeway x: end\n## ropeway 1: end\n# END\n";
    assert_eq!(text_of(&strip(foreign.as_bytes())), foreign);
}

#[test]
fn every_name_of_a_line_counts_and_no_comment() {
    let found = names(b"127.0.0.1\tlocalhost  Alias # nothing\n#1.1.1.1 none\n\xff\xfe odd\n10.0.0.1 last");
    let mut found: Vec<_> = found.into_iter().map(|name| String::from_utf8(name).unwrap()).collect();
    found.sort();
    assert_eq!(found, ["alias", "last", "localhost", "odd"]);
}

proptest! {
    #[test]
    fn merging_and_stripping_give_back_every_byte(file in foreign(), blocks in blocks(0)) {
        let merged = merge(&file, &refs(&blocks));
        prop_assert_eq!(&strip(&merged), &file);
        prop_assert!(merged.starts_with(&file));
    }

    /// All but a line end alone, of which nobody can say whose it is: that one needs the journal.
    #[test]
    fn any_beginning_of_blocks_is_recognised(file in foreign(), blocks in blocks(1), cut: prop::sample::Index) {
        let merged = merge(&file, &refs(&blocks));
        let marker = if file.last().is_some_and(|b| *b != b'\n') { "\n## ropeway 1" } else { "# ropeway 1" };
        let first = file.len() + marker.len();
        let torn = &merged[..first + cut.index(merged.len() - first)];
        prop_assert_eq!(strip(torn), file);
    }

    #[test]
    fn stripping_twice_is_stripping_once(file in foreign(), blocks in blocks(0), more in foreign()) {
        let text = strip(&[merge(&file, &refs(&blocks)), more].concat());
        prop_assert_eq!(strip(&text), text);
    }

    /// Pages reach a disk in any order.
    #[test]
    fn an_interrupted_write_is_undone_whatever_was_written(
        file in foreign(),
        blocks in (blocks(0), blocks(0)),
        below in foreign(),
        written in vec(any::<bool>(), 1..40),
        length: prop::sample::Index,
    ) {
        let before = [merge(&file, &refs(&blocks.0)), below].concat();
        let rest = strip(&before);
        let wanted = merge(&rest, &refs(&blocks.1));
        let lengths = [before.len(), wanted.len()];
        let (short, long) = (lengths[0].min(lengths[1]), lengths[0].max(lengths[1]));
        let length = short + length.index(long - short + 1);
        let page = long / written.len() + 1;
        let byte = |i: usize| match (before.get(i), wanted.get(i)) {
            (Some(old), Some(new)) => if written[i / page] { *new } else { *old },
            (old, new) => *old.or(new).unwrap(),
        };
        let found: Vec<u8> = (0..length).map(byte).collect();
        let step = Unfinished::new(&before, &wanted, rest.len());
        prop_assert_eq!(step.undone(&found), Some(rest));
    }
}

#[test]
fn an_interrupted_write_that_somebody_has_mended_is_left_to_them() {
    let wanted = merge(b"1.1.1.1 one\n", &[&block(1, &["10.0.0.1 a"])]);
    let step = Unfinished::new(b"1.1.1.1 one\n", &wanted, 12);
    assert_eq!(step.undone(b"1.1.1.1 one\n9.9.9.9 mine\n"), None);
    assert_eq!(step.undone(b""), None);
}

fn block(number: u64, entries: &[&str]) -> Block {
    let entry = |line: &&str| {
        let (address, name) = line.split_once(' ').unwrap();
        HostEntry { name: name.into(), address: address.parse().unwrap() }
    };
    Block { number, entries: entries.iter().map(entry).collect() }
}

fn blocks(at_least: usize) -> impl Strategy<Value = Vec<Block>> {
    let name = "[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\\.corp\\.example)?";
    let address = prop_oneof![
        any::<u32>().prop_map(|a| std::net::Ipv4Addr::from(a).into()),
        any::<u128>().prop_map(|a| std::net::Ipv6Addr::from(a).into())
    ];
    let entry = (name, address).prop_map(|(name, address)| HostEntry { name, address });
    vec(vec(entry, 1..4), at_least..3).prop_map(|blocks| {
        blocks.into_iter().zip(1..).map(|(entries, number)| Block { number, entries }).collect()
    })
}

/// Files of others: lines of all kinds with all kinds of ends, and bytes that are no text.
fn foreign() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"127.0.0.1 localhost\n".to_vec()),
        Just(b"10.0.0.1\ta b # ropeway 1\r\n".to_vec()),
        Just(b"# BEGIN ropeway 1\n".to_vec()),
        Just(b"# ropeway \n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"#".to_vec()),
        Just(b"## ropeway".to_vec()),
        vec(any::<u8>(), 0..30),
        "[ -~]{0,20}\n".prop_map(String::into_bytes),
    ];
    vec(line, 0..6)
        .prop_map(|lines| lines.concat())
        .prop_filter("no lines of ours", |file| strip(file) == *file)
}

fn refs(blocks: &[Block]) -> Vec<&Block> {
    blocks.iter().collect()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
