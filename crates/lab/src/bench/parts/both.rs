//! Both directions busy at once: acknowledgements and key presses of each are in the other's queue.

use std::{thread, time::Instant};

use anyhow::Result;

use super::{LinkName, Pace};
use crate::bench::{
    load::{
        bulk::{Bulk, Way},
        echo::Echo,
        meter::Meter,
    },
    record::Record,
    stage::Stage,
    stats::{median, quantile},
    tunnel::{Kind, Tunnel},
};

/// Those with a goal.
pub const LINKS: &[LinkName] =
    &[LinkName { mbits: 20, round_trip_ms: 50 }, LinkName { mbits: 50, round_trip_ms: 50 }];

/// Those that are shown.
pub const KINDS: &[Kind] = &[Kind::Ropeway, Kind::Unbounded, Kind::Sshuttle];

/// The target's counters are one for each part.
const COUNTER: u8 = 4;

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    for link in LINKS {
        stage.join_by(Some(&link.spec()))?;
        for _ in 0..pace.rounds(2) {
            for kind in KINDS {
                let path = format!("both/{}/{}", link.path(), kind.name());
                record.attempt(&path, |record| one(stage, record, &path, *kind, *link, pace));
            }
        }
    }
    Ok(())
}

fn one(stage: &Stage, record: &mut Record, path: &str, kind: Kind, link: LinkName, pace: Pace) -> Result<()> {
    let _tunnel = Tunnel::start(stage, kind)?;
    let client = stage.lab.client();
    let echo = Echo::start(&client)?;
    let began = Instant::now();
    thread::sleep(pace.time(1.5, 1.0));
    let base = median(&echo.round_trips(began)?);
    let [down, up] =
        [Bulk::start(&client, Way::Down, 1, COUNTER)?, Bulk::start(&client, Way::Up, 1, COUNTER)?];
    let down = (Meter::of(&stage.lab, &down, Way::Down, COUNTER)?, down);
    let up = (Meter::of(&stage.lab, &up, Way::Up, COUNTER)?, up);
    thread::sleep(pace.time(3.0, 2.5));
    let began = Instant::now();
    let before = [down.0.read()?, up.0.read()?];
    thread::sleep(pace.time(10.0, 5.0));
    let after = [down.0.read()?, up.0.read()?];
    let took = began.elapsed().as_secs_f64();
    let trips = echo.round_trips(began)?;
    let share = |way: usize| (after[way] - before[way]) as f64 * 8.0 / 1e6 / took / f64::from(link.mbits);
    let values = [
        ("down", share(0)),
        ("up", share(1)),
        ("base", base),
        ("p50", quantile(&trips, 0.5)),
        ("p95", quantile(&trips, 0.95)),
    ];
    for (name, value) in values {
        record.add(format!("{path}/{name}"), value);
    }
    println!(
        "  {path}: down {:.1} % up {:.1} %; base {base:.1} ms, p50 {:.1} ({:.2}x) p95 {:.1} ({:.2}x)",
        values[0].1 * 100.0,
        values[1].1 * 100.0,
        values[3].1,
        values[3].1 / base,
        values[4].1,
        values[4].1 / base
    );
    Ok(())
}
