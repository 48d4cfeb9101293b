//! The tables of the page, one function for each part.

use std::fmt::Write as _;

use super::cell::{Unit, cell, row};
use crate::bench::{
    load::bulk::Way,
    parts::{self, LINKS, LinkName, path_of},
    record::Record,
    tunnel::{Kind, title},
    usage::Role,
};

/// As the tables name it.
pub fn link_title(link: Option<LinkName>) -> String {
    link.map_or_else(|| "no delay".to_owned(), |it| format!("{}M/{} ms", it.mbits, it.round_trip_ms))
}

/// The round trip of the link itself, for one direction: the shortest that anything had on it while it was idle.
pub fn base(record: &Record, at: &str) -> Option<f64> {
    let prefix = format!("{at}/");
    let bases = record.numbers.keys().filter(|path| path.starts_with(&prefix) && path.ends_with("/base"));
    bases.filter_map(|path| record.median(path)).min_by(f64::total_cmp)
}

/// Rates and processor time.
pub fn bulk(record: &Record) -> String {
    let mut text = String::from(
        "## Bulk, no delay\n\nMbit/s; beside it the ratio to `ssh host cat` in the same direction.\n\n\
         | | down, 1 stream | | down, 8 | | up, 1 | | up, 8 | |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let rows = ["raw"].into_iter().chain(parts::bulk::KINDS.iter().map(|kind| kind.name()));
    for kind in rows.clone() {
        let mut cells = vec![title(kind).to_owned()];
        for way in Way::BOTH {
            for streams in parts::bulk::STREAMS {
                let path = format!("bulk/{kind}/{}/{streams}/rate", way.name());
                cells.push(cell(record.median(&path), Unit::Whole));
                cells
                    .push(cell(record.ratio(&path, &format!("bulk/raw/{}/1/rate", way.name())), Unit::Ratio));
            }
        }
        text += &row(&cells);
    }
    text += "\nProcessor seconds for each gigabyte. *own* is the tunnel's program on the client and on the server; the \
             last column is own by ssh and sshd.\n\n\
             | | way | streams | own, client | ssh | sshd | own, server | own / ssh |\n\
             |---|---|---:|---:|---:|---:|---:|---:|\n";
    for kind in rows {
        for way in Way::BOTH {
            for streams in parts::bulk::STREAMS.into_iter().filter(|streams| *streams == 1 || kind != "raw") {
                let at = format!("bulk/{kind}/{}/{streams}/cpu", way.name());
                let mut cells = vec![title(kind).to_owned(), way.name().to_owned(), streams.to_string()];
                let cpu = |role: Role| cell(record.median(&format!("{at}/{}", role.name())), Unit::Ratio);
                cells.extend(Role::ALL.map(cpu));
                cells.push(cell(record.median(&format!("{at}/share")), Unit::Ratio));
                text += &row(&cells);
            }
        }
    }
    text
}

/// Key presses under load.
pub fn load(record: &Record) -> String {
    let mut text = String::from(
        "## Somebody types while one stream moves as much as it can\n\n64 bytes every 40 to 60 ms, sent back by the \
         target. *share* is what the stream moves of the link at the same time (Mbit/s without delay); times are \
         milliseconds, ratios are to the round trip of the idle link, the shortest that any of them had.\n\n\
         ![Share of the link and latency](performance/load.svg)\n",
    );
    for link in LINKS {
        let at = format!("load/{}", path_of(*link));
        let trip = base(record, &format!("{at}/down"));
        let _ = writeln!(
            text,
            "\n### {} (idle: {} ms)\n\n| | way | share | p50 | | p95 | | p99 |\n|---|---|---:|---:|---:|---:|---:|---:|",
            link_title(*link),
            cell(trip, Unit::Tenth)
        );
        for kind in parts::load::KINDS.iter().map(|kind| kind.name()).chain(link.map(|_| "model")) {
            for way in Way::BOTH {
                let at = format!("{at}/{}", way.name());
                let (path, base) = (format!("{at}/{kind}"), base(record, &at));
                let median = |what: &str| record.median(&format!("{path}/{what}"));
                let ratio = |what: &str| Some(median(what)? / base?);
                let share = match link {
                    Some(link) => {
                        cell(median("rate").map(|rate| rate / f64::from(link.mbits)), Unit::Percent)
                    }
                    None => cell(median("rate"), Unit::Whole),
                };
                let mut cells = vec![title(kind).to_owned(), way.name().to_owned(), share];
                cells.extend([cell(median("p50"), Unit::Tenth), cell(ratio("p50"), Unit::Times)]);
                cells.extend([cell(median("p95"), Unit::Tenth), cell(ratio("p95"), Unit::Times)]);
                cells.push(cell(median("p99"), Unit::Tenth));
                text += &row(&cells);
            }
        }
    }
    text
}

/// The link changes its rate.
pub fn step(record: &Record) -> String {
    let mut text = String::from(
        "## The link becomes slower, and fast again\n\n50, 10, 50 Mbit/s, 50 ms. *back* is until key presses take less \
         than twice the idle link's round trip for a second; *full* is until the rate is 90 % of what it was before, in \
         250 ms.\n\n![Over time](performance/step.svg)\n\n\
         | | way | longest, ms | back after, s | full after, s |\n|---|---|---:|---:|---:|\n",
    );
    for kind in parts::step::KINDS {
        for way in Way::BOTH {
            let at = format!("step/{}/{}", way.name(), kind.name());
            let median = |what: &str, unit| cell(record.median(&format!("{at}/{what}")), unit);
            text += &row(&[
                title(kind.name()).to_owned(),
                way.name().to_owned(),
                median("worst", Unit::Whole),
                median("recovery", Unit::Ratio),
                median("full", Unit::Ratio),
            ]);
        }
    }
    text
}

/// Both directions at once.
pub fn both(record: &Record) -> String {
    let mut text = String::from(
        "## Both directions busy\n\n| | link | down | up | p50 | | p95 | |\n|---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for link in parts::both::LINKS {
        let at = format!("both/{}", link.path());
        let base = base(record, &at);
        for kind in parts::both::KINDS {
            let median = |what: &str| record.median(&format!("{at}/{}/{what}", kind.name()));
            let ratio = |what: &str| Some(median(what)? / base?);
            text += &row(&[
                title(kind.name()).to_owned(),
                link_title(Some(*link)),
                cell(median("down"), Unit::Percent),
                cell(median("up"), Unit::Percent),
                cell(median("p50"), Unit::Tenth),
                cell(ratio("p50"), Unit::Times),
                cell(median("p95"), Unit::Tenth),
                cell(ratio("p95"), Unit::Times),
            ]);
        }
    }
    text
}

/// Many, and many at once.
pub fn connections(record: &Record) -> String {
    let mut text = String::from(
        "## New connections, no delay\n\nConnect, 64 bytes there, 64 back, the end: 32 at a time for some seconds; then \
         500 at the same instant. Times in ms; who has no answer after 15 s gives up and counts as that.\n\n\
         | | per second | p50 | p99 | failed | 500 at once: p50 | p99 | not answered |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for kind in parts::connections::KINDS {
        let median = |path: String, unit| cell(record.median(&path), unit);
        let (steady, burst) =
            (format!("connections/{}", kind.name()), format!("connections/burst/{}", kind.name()));
        text += &row(&[
            title(kind.name()).to_owned(),
            median(format!("{steady}/rate"), Unit::Whole),
            median(format!("{steady}/p50"), Unit::Tenth),
            median(format!("{steady}/p99"), Unit::Tenth),
            median(format!("{steady}/failed"), Unit::Whole),
            median(format!("{burst}/p50"), Unit::Tenth),
            median(format!("{burst}/p99"), Unit::Tenth),
            median(format!("{burst}/failed"), Unit::Whole),
        ]);
    }
    text
}

/// Questions to name servers.
pub fn names(record: &Record) -> String {
    let mut text = String::from(
        "## Questions to name servers, no delay\n\n32 askers, one question after the other, answered by a name server \
         behind the server. Times in ms; not answered is who waited for 5 s.\n\n\
         | | per second | p50 | p99 | not answered |\n|---|---:|---:|---:|---:|\n",
    );
    for kind in parts::names::KINDS {
        let median = |what: &str, unit| cell(record.median(&format!("names/{}/{what}", kind.name())), unit);
        text += &row(&[
            title(kind.name()).to_owned(),
            median("rate", Unit::Whole),
            median("p50", Unit::Tenth),
            median("p99", Unit::Tenth),
            median("failed", Unit::Whole),
        ]);
    }
    text
}

/// Cold starts.
pub fn start(record: &Record) -> String {
    let mut text = String::from(
        "## From the start of the program to the first byte through the tunnel\n\nMilliseconds.\n\n|",
    );
    for link in parts::start::LINKS {
        let _ = write!(text, " | {}", link_title(*link));
    }
    text += " |\n|---|---:|---:|\n";
    for (name, kind, cached) in parts::start::STARTS {
        let words = match (kind, cached) {
            (Kind::Ropeway, true) => "Ropeway, agent on the server".to_owned(),
            (Kind::Ropeway, false) => "Ropeway, agent sent".to_owned(),
            _ => title(name).to_owned(),
        };
        let mut cells = vec![words];
        cells.extend(
            parts::start::LINKS
                .iter()
                .map(|link| cell(record.median(&format!("start/{}/{name}", path_of(*link))), Unit::Whole)),
        );
        text += &row(&cells);
    }
    text
}

/// What open connections cost.
pub fn idle(record: &Record) -> String {
    let mut text = String::from(
        "## Idle connections, no delay\n\nMemory in MB: resident, and with shared pages divided among those who share \
         them. Round trip of a key press without other load.\n\n\
         | | open | client | | server | | round trip, ms | down, Mbit/s | up, Mbit/s |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let ours = parts::idle::COUNTS.iter().map(|count| (Kind::Ropeway, count));
    let theirs = parts::idle::COUNTS_OF_SSHUTTLE.iter().map(|count| (Kind::Sshuttle, count));
    for (kind, count) in ours.chain(theirs) {
        let median = |what: &str| record.median(&format!("idle/{}/{count}/{what}", kind.name()));
        let megabytes = |what: &str| cell(median(what).map(|bytes| bytes / 1e6), Unit::Tenth);
        text += &row(&[
            title(kind.name()).to_owned(),
            count.to_string(),
            megabytes("rss/client"),
            megabytes("pss/client"),
            megabytes("rss/server"),
            megabytes("pss/server"),
            cell(median("trip"), Unit::Ratio),
            cell(median("down"), Unit::Whole),
            cell(median("up"), Unit::Whole),
        ]);
    }
    text
}

/// What somebody who reads no more costs.
pub fn stopped(record: &Record) -> String {
    let mut text = String::from(
        "## A reader that stopped, no delay\n\nIt has read 64 MB, then nothing more, with a gigabyte pushed at it. Growth \
         of the proportional memory in MB; the rate of another stream meanwhile, against its rate alone.\n\n\
         | | way | client | server | alone | beside | kept |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    for kind in parts::stopped::KINDS {
        for way in Way::BOTH {
            let at = format!("stopped/{}/{}", way.name(), kind.name());
            let median = |what: &str, unit| cell(record.median(&format!("{at}/{what}")), unit);
            text += &row(&[
                title(kind.name()).to_owned(),
                way.name().to_owned(),
                median("client", Unit::Tenth),
                median("server", Unit::Tenth),
                median("alone", Unit::Whole),
                median("beside", Unit::Whole),
                median("kept", Unit::Ratio),
            ]);
        }
    }
    text
}
