//! Idle connections: what each costs in memory, and what thousands of them cost the others.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::Pace;
use crate::bench::{
    load::{
        bulk::{Bulk, Way},
        echo::Echo,
        hold::Held,
        meter::Meter,
    },
    record::Record,
    stage::Stage,
    stats::median,
    tunnel::{Kind, Tunnel},
    usage::{Processes, Role},
};

/// So many of them.
pub const COUNTS: [usize; 3] = [0, 1_000, 10_000];

/// sshuttle ends itself at 1 015.
pub const COUNTS_OF_SSHUTTLE: [usize; 2] = [0, 500];

/// The ends of the tunnel whose memory it is.
pub const ENDS: [Role; 2] = [Role::Client, Role::Server];

const COUNTER: u8 = 5;

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    stage.join_by(None)?;
    for round in 0..pace.rounds(3) {
        for count in COUNTS {
            attempt(stage, record, Kind::Ropeway, count, pace);
        }
        for count in COUNTS_OF_SSHUTTLE.into_iter().filter(|_| round == 0) {
            attempt(stage, record, Kind::Sshuttle, count, pace);
        }
    }
    Ok(())
}

fn attempt(stage: &Stage, record: &mut Record, kind: Kind, count: usize, pace: Pace) {
    let path = format!("idle/{}/{count}", kind.name());
    record.attempt(&path, |record| one(stage, record, &path, kind, count, pace));
}

fn one(stage: &Stage, record: &mut Record, path: &str, kind: Kind, count: usize, pace: Pace) -> Result<()> {
    let tunnel = Tunnel::start(stage, kind)?;
    let client = stage.lab.client();
    let _held = if count > 0 { Some(Held::open(&client, count)?) } else { None };
    // buffers of the opening are given back meanwhile
    thread::sleep(Duration::from_secs(1));
    memory(record, path, &tunnel.processes);
    let echo = Echo::start(&client)?;
    let began = Instant::now();
    thread::sleep(pace.time(3.0, 1.5));
    let trip = median(&echo.round_trips(began)?);
    record.add(format!("{path}/trip"), trip);
    drop(echo);
    let mut line = format!("  {path}: round trip {trip:.2} ms");
    for way in Way::BOTH {
        let bulk = Bulk::start(&client, way, 1, COUNTER)?;
        let meter = Meter::of(&stage.lab, &bulk, way, COUNTER)?;
        thread::sleep(Duration::from_millis(700));
        let rate = meter.watch(pace.time(3.0, 1.5))?.rate();
        record.add(format!("{path}/{}", way.name()), rate);
        write!(line, ", {} {rate:.0} Mbit/s", way.name())?;
    }
    println!("{line}");
    Ok(())
}

fn memory(record: &mut Record, path: &str, processes: &Processes) {
    let (resident, proportional) = (processes.resident(), processes.proportional());
    for role in ENDS {
        record.add(format!("{path}/rss/{}", role.name()), resident[&role]);
        record.add(format!("{path}/pss/{}", role.name()), proportional[&role]);
        println!(
            "  {path}: {} {:.1} MB resident, {:.1} MB proportional",
            role.name(),
            resident[&role] / 1e6,
            proportional[&role] / 1e6
        );
    }
}
