//! Somebody types while one stream moves as much as it can: what a key press takes, and how much of the link is used.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{LINKS, LinkName, Pace, path_of};
use crate::bench::{
    load::{
        bulk::{Bulk, Way},
        echo::Echo,
        meter::Meter,
    },
    record::Record,
    stage::Stage,
    stats::{median, quantile},
    tunnel::{Kind, Tunnel, model},
};

/// Rounds of those between which a goal decides.
const ROUNDS: usize = 2;

/// Rounds of the others.
const ROUNDS_OF_PEERS: usize = 1;

/// What no goal compares closely.
const PEERS: &[Kind] = &[Kind::Sshuttle, Kind::SshuttleUnbounded, Kind::Socks];

/// Those that are compared.
pub const KINDS: &[Kind] =
    &[Kind::Ropeway, Kind::Unbounded, Kind::Sshuttle, Kind::SshuttleUnbounded, Kind::Socks];

const COUNTER: u8 = 2;

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    for link in LINKS {
        stage.join_by(link.map(LinkName::spec).as_ref())?;
        for round in 0..pace.rounds(ROUNDS) {
            for kind in KINDS.iter().filter(|kind| round < ROUNDS_OF_PEERS || !PEERS.contains(kind)) {
                for way in Way::BOTH {
                    let path = format!("load/{}/{}/{}", path_of(*link), way.name(), kind.name());
                    record.attempt(&path, |record| one(stage, record, &path, *kind, way, *link, pace));
                }
            }
            for way in Way::BOTH.into_iter().filter(|_| link.is_some()) {
                let path = format!("load/{}/{}/model", path_of(*link), way.name());
                record.attempt(&path, |record| model(stage, record, &path, way, *link, pace));
            }
        }
    }
    Ok(())
}

fn one(
    stage: &Stage,
    record: &mut Record,
    path: &str,
    kind: Kind,
    way: Way,
    link: Option<LinkName>,
    pace: Pace,
) -> Result<()> {
    // for each a tunnel of its own: the queue that an unbounded one leaves would be in the next one's way
    let _tunnel = Tunnel::start(stage, kind)?;
    let client = stage.lab.client();
    let echo = Echo::start(&client)?;
    let began = Instant::now();
    thread::sleep(idle(pace));
    let base = median(&echo.round_trips(began)?);
    let bulk = Bulk::start(&client, way, 1, COUNTER)?;
    let meter = Meter::of(&stage.lab, &bulk, way, COUNTER)?;
    thread::sleep(warm_up(pace));
    let measured_from = Instant::now();
    let rate = meter.watch(time(pace))?.rate();
    let trips = echo.round_trips(measured_from)?;
    note(record, path, rate, link, base, &trips);
    Ok(())
}

fn model(
    stage: &Stage,
    record: &mut Record,
    path: &str,
    way: Way,
    link: Option<LinkName>,
    pace: Pace,
) -> Result<()> {
    let measured = model::run(stage, way, [idle(pace), warm_up(pace), time(pace)])?;
    let [base, trips] =
        [measured.base, measured.trips].map(|trips| trips.iter().map(|it| it * 1e3).collect::<Vec<_>>());
    note(record, path, measured.rate * 8.0 / 1e6, link, median(&base), &trips);
    Ok(())
}

/// Somebody types, and nothing else happens.
fn idle(pace: Pace) -> Duration {
    pace.time(1.2, 1.0)
}

fn time(pace: Pace) -> Duration {
    pace.time(6.0, 4.0)
}

/// Until TCP's slow start and the tunnel's own are over, on the longest link here.
fn warm_up(pace: Pace) -> Duration {
    pace.time(2.5, 2.5)
}

fn note(record: &mut Record, path: &str, rate: f64, link: Option<LinkName>, base: f64, trips: &[f64]) {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| quantile(trips, share));
    let share = link.map(|link| rate / f64::from(link.mbits));
    for (name, value) in [("rate", rate), ("base", base), ("p50", p50), ("p95", p95), ("p99", p99)] {
        record.add(format!("{path}/{name}"), value);
    }
    let share_text = share.map(|share| format!(" ({:.1} %)", share * 100.0)).unwrap_or_default();
    println!(
        "  {path}: {rate:.1} Mbit/s{share_text}; base {base:.1} ms, p50 {p50:.1} ({:.2}x) p95 {p95:.1} ({:.2}x) p99 {p99:.1}",
        p50 / base,
        p95 / base
    );
}
