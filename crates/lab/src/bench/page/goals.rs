//! The goals: each with what was measured, and whether that is enough.

use super::{
    cell::{Unit, cell, row},
    tables::{base, link_title},
};
use crate::bench::{
    load::bulk::Way,
    parts::{self, LINKS, LinkName},
    record::Record,
};

/// Two measurements of the same thing differ by so much; only used where a goal compares two of about the same size.
const NOISE: f64 = 0.02;

/// One demand of a goal.
struct Demand {
    words: String,
    met: Option<bool>,
}

/// The table. `reasons` are lines `goal: reason`, for goals that are not met.
pub fn table(record: &Record, reasons: &str) -> String {
    let goals = [
        ("Bulk, no delay, 1 and 8 streams", "≥ 0.95 of `ssh host cat`", bulk(record)),
        ("Processor time of engine and agent", "≤ 15 % of what ssh and sshd use", cpu(record)),
        (
            "50M/50 ms and faster, one stream and key presses",
            "≥ 0.95 of the unbounded; p50 ≤ 1.3×, p95 ≤ 1.5×",
            fast(record),
        ),
        ("20M/20 ms", "≥ 0.93 of the unbounded; p50 ≤ 1.5×", slow(record, 20)),
        ("2M/50 ms", "≥ 0.93 of the unbounded; p50 ≤ + 40 ms", slow(record, 2)),
        ("Against the Python model, every link", "not worse (2 % are noise)", model(record)),
        ("Both directions busy", "≥ 0.88 each way; p50 ≤ 1.6×", both(record)),
        ("50 → 10 → 50 Mbit/s", "below 2× in < 0.6 s; full rate in < 1.5 s", step(record)),
        ("Against sshuttle, 100M/50 ms", "≥ 15× its rate at ≤ 1.3× its latency", sshuttle(record)),
        (
            "New connections per second",
            "≥ 3× sshuttle, above `ssh -D`; p99 not above the better; none failed",
            connections(record),
        ),
        ("500 connections at the same instant", "all answered; p99 < 1 s", burst(record)),
        ("Questions to name servers", "> 5 000 per second, none unanswered", names(record)),
        ("Start to first byte", "agent cached ≤ 1.15 × `ssh -D`; agent sent ≤ sshuttle", start(record)),
        (
            "10 000 idle connections",
            "bulk and round trip within 5 %; < 3 KiB each on each side",
            idle(record),
        ),
        ("A reader that stopped", "≤ 4 MB on each side; others keep ≥ 0.9", stopped(record)),
    ];
    let rows = goals.map(|(what, goal, demands)| {
        let met = if demands.iter().any(|it| it.met == Some(false)) {
            format!("**not met** {}", reason(reasons, what)).trim_end().to_owned()
        } else if demands.iter().any(|it| it.met.is_none()) {
            "not measured".to_owned()
        } else {
            "met".to_owned()
        };
        let words: Vec<_> = demands.into_iter().map(|it| it.words).collect();
        row(&[what.to_owned(), goal.to_owned(), words.join("; "), met])
    });
    format!("## Goals\n\n| what | goal | measured | |\n|---|---|---|---|\n{}", rows.concat())
}

fn reason<'a>(reasons: &'a str, goal: &str) -> &'a str {
    let mut lines = reasons.lines().filter_map(|line| line.strip_prefix(goal)?.strip_prefix(": "));
    lines.next().unwrap_or_default()
}

fn at_least(what: &str, value: Option<f64>, bound: f64, unit: Unit) -> Demand {
    Demand { words: format!("{what} {}", cell(value, unit)), met: value.map(|value| value >= bound) }
}

fn at_most(what: &str, value: Option<f64>, bound: f64, unit: Unit) -> Demand {
    Demand { words: format!("{what} {}", cell(value, unit)), met: value.map(|value| value <= bound) }
}

/// None as soon as one is missing: a goal is not met by what was left out.
fn least(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::min)
}

fn most(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::max)
}

fn bulk_cases() -> impl Iterator<Item = (Way, usize)> {
    Way::BOTH.into_iter().flat_map(|way| parts::bulk::STREAMS.map(|streams| (way, streams)))
}

fn bulk(record: &Record) -> Vec<Demand> {
    let ratio = |(way, streams): (Way, usize)| {
        let ceiling = format!("bulk/raw/{}/1/rate", way.name());
        record.ratio(&format!("bulk/ropeway/{}/{streams}/rate", way.name()), &ceiling)
    };
    vec![at_least("worst", least(bulk_cases().map(ratio)), 0.95, Unit::Ratio)]
}

fn cpu(record: &Record) -> Vec<Demand> {
    let share = |(way, streams): (Way, usize)| {
        record.median(&format!("bulk/ropeway/{}/{streams}/cpu/share", way.name()))
    };
    vec![at_most("worst", most(bulk_cases().map(share)), 0.15, Unit::Percent)]
}

/// Where on a link, and the base round trip there.
fn load_cases(links: impl Iterator<Item = LinkName>) -> Vec<String> {
    links.flat_map(|link| Way::BOTH.map(|way| format!("load/{}/{}", link.path(), way.name()))).collect()
}

fn of_unbounded(record: &Record, cases: &[String]) -> Option<f64> {
    least(cases.iter().map(|at| record.ratio(&format!("{at}/ropeway/rate"), &format!("{at}/unbounded/rate"))))
}

fn times_base(record: &Record, cases: &[String], what: &str) -> Option<f64> {
    most(cases.iter().map(|at| Some(record.median(&format!("{at}/ropeway/{what}"))? / base(record, at)?)))
}

fn fast(record: &Record) -> Vec<Demand> {
    let cases = load_cases(LINKS.iter().flatten().copied().filter(|link| link.mbits >= 50));
    vec![
        at_least("worst", of_unbounded(record, &cases), 0.95, Unit::Ratio),
        at_most("p50", times_base(record, &cases, "p50"), 1.3, Unit::Times),
        at_most("p95", times_base(record, &cases, "p95"), 1.5, Unit::Times),
    ]
}

fn slow(record: &Record, mbits: u32) -> Vec<Demand> {
    let cases = load_cases(LINKS.iter().flatten().copied().filter(|link| link.mbits == mbits));
    let added =
        most(cases.iter().map(|at| Some(record.median(&format!("{at}/ropeway/p50"))? - base(record, at)?)));
    let latency = if mbits == 2 {
        at_most("p50 + ms", added, 40.0, Unit::Tenth)
    } else {
        at_most("p50", times_base(record, &cases, "p50"), 1.5, Unit::Times)
    };
    vec![at_least("worst", of_unbounded(record, &cases), 0.93, Unit::Ratio), latency]
}

fn model(record: &Record) -> Vec<Demand> {
    let cases = load_cases(LINKS.iter().flatten().copied());
    let ratio = |what: &str| -> Vec<Option<f64>> {
        cases
            .iter()
            .map(|at| record.ratio(&format!("{at}/ropeway/{what}"), &format!("{at}/model/{what}")))
            .collect()
    };
    vec![
        at_least("rate", least(ratio("rate").into_iter()), 1.0 - NOISE, Unit::Times),
        at_most("p50", most(ratio("p50").into_iter()), 1.0 + NOISE, Unit::Times),
    ]
}

fn both(record: &Record) -> Vec<Demand> {
    let mut demands = Vec::new();
    for link in parts::both::LINKS {
        let at = format!("both/{}", link.path());
        let median = |what: &str| record.median(&format!("{at}/ropeway/{what}"));
        let share = least([median("down"), median("up")].into_iter());
        demands.push(at_least(&link_title(Some(*link)), share, 0.88, Unit::Percent));
        let ratio = median("p50").zip(base(record, &at)).map(|(p50, base)| p50 / base);
        demands.push(at_most("p50", ratio, 1.6, Unit::Times));
    }
    demands
}

fn step(record: &Record) -> Vec<Demand> {
    let worst = |what: &str| {
        most(Way::BOTH.into_iter().map(|way| record.median(&format!("step/{}/ropeway/{what}", way.name()))))
    };
    vec![
        at_most("back after s", worst("recovery"), 0.6, Unit::Ratio),
        at_most("full after s", worst("full"), 1.5, Unit::Ratio),
    ]
}

fn sshuttle(record: &Record) -> Vec<Demand> {
    let ratio = |what: &'static str| {
        Way::BOTH.into_iter().map(move |way| {
            let at = format!("load/100M50ms/{}", way.name());
            record.ratio(&format!("{at}/ropeway/{what}"), &format!("{at}/sshuttle/{what}"))
        })
    };
    vec![
        at_least("rate", least(ratio("rate")), 15.0, Unit::Times),
        at_most("p50", most(ratio("p50")), 1.3, Unit::Times),
    ]
}

fn connections(record: &Record) -> Vec<Demand> {
    let rate = |kind: &str| record.ratio("connections/ropeway/rate", &format!("connections/{kind}/rate"));
    let better =
        least(["sshuttle", "socks"].iter().map(|kind| record.median(&format!("connections/{kind}/p99"))));
    let p99 = record.median("connections/ropeway/p99").zip(better).map(|(ours, theirs)| ours / theirs);
    let failed = record.numbers.get("connections/ropeway/failed").map(|rounds| rounds.iter().sum());
    vec![
        at_least("of sshuttle", rate("sshuttle"), 3.0, Unit::Times),
        at_least("of `ssh -D`", rate("socks"), 1.0, Unit::Times),
        at_most("p99 of the better", p99, 1.0, Unit::Times),
        at_most("failed", failed, 0.0, Unit::Whole),
    ]
}

fn burst(record: &Record) -> Vec<Demand> {
    let failed = record.numbers.get("connections/burst/ropeway/failed").map(|rounds| rounds.iter().sum());
    vec![
        at_most("not answered", failed, 0.0, Unit::Whole),
        at_most("p99 ms", record.median("connections/burst/ropeway/p99"), 1_000.0, Unit::Whole),
    ]
}

fn names(record: &Record) -> Vec<Demand> {
    let failed = record.numbers.get("names/ropeway-dns/failed").map(|rounds| rounds.iter().sum());
    vec![
        at_least("per second", record.median("names/ropeway-dns/rate"), 5_000.0, Unit::Whole),
        at_most("unanswered", failed, 0.0, Unit::Whole),
    ]
}

fn start(record: &Record) -> Vec<Demand> {
    let worst = |ours: &str, theirs: &str| {
        most(parts::start::LINKS.iter().map(|link| {
            let at = format!("start/{}", parts::path_of(*link));
            record.ratio(&format!("{at}/{ours}"), &format!("{at}/{theirs}"))
        }))
    };
    vec![
        at_most("cached", worst("ropeway-cached", "socks"), 1.15, Unit::Times),
        at_most("sent, of sshuttle", worst("ropeway-upload", "sshuttle"), 1.0, Unit::Times),
    ]
}

fn idle(record: &Record) -> Vec<Demand> {
    let ratio =
        |what: &str| record.ratio(&format!("idle/ropeway/10000/{what}"), &format!("idle/ropeway/0/{what}"));
    let each = |side: &str| {
        let pss = |count: usize| record.median(&format!("idle/ropeway/{count}/pss/{side}"));
        Some((pss(10_000)? - pss(0)?) / 10_000.0 / 1024.0)
    };
    vec![
        at_least("down", ratio("down"), 0.95, Unit::Times),
        at_least("up", ratio("up"), 0.95, Unit::Times),
        at_most("round trip", ratio("trip"), 1.05, Unit::Times),
        at_most("KiB each, client", each("client"), 3.0, Unit::Ratio),
        at_most("server", each("server"), 3.0, Unit::Ratio),
    ]
}

fn stopped(record: &Record) -> Vec<Demand> {
    let worst = |what: &str| {
        Way::BOTH.map(|way| record.median(&format!("stopped/{}/ropeway/{what}", way.name()))).into_iter()
    };
    vec![
        at_most("MB, client", most(worst("client")), 4.0, Unit::Tenth),
        at_most("server", most(worst("server")), 4.0, Unit::Tenth),
        at_least("kept", least(worst("kept")), 0.9, Unit::Ratio),
    ]
}
