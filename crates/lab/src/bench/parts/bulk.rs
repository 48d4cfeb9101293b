//! One and eight streams on the lab's own cable, where nothing but the processor is short: rate, and processor time
//! for each gigabyte, process by process.

use std::{
    fmt::Write as _,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::Pace;
use crate::bench::{
    load::{
        bulk::{Bulk, Way},
        meter::Meter,
    },
    record::Record,
    stage::Stage,
    stats,
    tunnel::{Kind, Tunnel, raw::Raw},
    usage::{Processes, Role},
};

/// Rounds of Ropeway and the ceiling; the median of five is not moved by two bad ones.
const ROUNDS: usize = 5;

/// Rounds of the others, whose numbers no goal compares to three digits.
const ROUNDS_OF_PEERS: usize = 2;

/// How many streams at once.
pub const STREAMS: [usize; 2] = [1, 8];

/// Until ssh's and TCP's windows have grown; without delay that is a matter of milliseconds.
const WARM_UP: Duration = Duration::from_millis(700);

/// The counter of the target that this part uses.
const COUNTER: u8 = 1;

/// Ours, then the others.
pub const KINDS: &[Kind] =
    &[Kind::Ropeway, Kind::RopewayKnown, Kind::Sshuttle, Kind::SshuttleUnbounded, Kind::Socks];

/// Ours.
const OURS: [Kind; 2] = [Kind::Ropeway, Kind::RopewayKnown];

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    stage.join_by(None)?;
    for round in 0..pace.rounds(ROUNDS) {
        for way in Way::BOTH {
            record.attempt("bulk/raw", |record| raw(stage, record, way, pace));
        }
        for kind in KINDS.iter().filter(|kind| OURS.contains(kind) || round < ROUNDS_OF_PEERS) {
            record.attempt(&format!("bulk/{}", kind.name()), |record| tunnel(stage, record, *kind, pace));
        }
    }
    Ok(())
}

fn raw(stage: &Stage, record: &mut Record, way: Way, pace: Pace) -> Result<()> {
    let raw = Raw::start(stage, way)?;
    // ssh logs in first, and moves nothing meanwhile
    crate::harness::wait_until(Duration::from_secs(10), || raw.moved.load(Ordering::Relaxed) > 1 << 20);
    thread::sleep(WARM_UP);
    let processes = raw.processes(stage);
    note(record, &format!("bulk/raw/{}/1", way.name()), &processes, || {
        let (began, before) = (Instant::now(), raw.moved.load(Ordering::Relaxed));
        thread::sleep(time(pace));
        Ok((raw.moved.load(Ordering::Relaxed) - before, began.elapsed()))
    })
}

fn tunnel(stage: &Stage, record: &mut Record, kind: Kind, pace: Pace) -> Result<()> {
    let tunnel = Tunnel::start(stage, kind)?;
    for way in Way::BOTH {
        for streams in STREAMS {
            let bulk = Bulk::start(&stage.lab.client(), way, streams, COUNTER)?;
            let meter = Meter::of(&stage.lab, &bulk, way, COUNTER)?;
            thread::sleep(WARM_UP);
            let path = format!("bulk/{}/{}/{streams}", kind.name(), way.name());
            note(record, &path, &tunnel.processes, || {
                let (began, before) = (Instant::now(), meter.read()?);
                thread::sleep(time(pace));
                Ok((meter.read()? - before, began.elapsed()))
            })?;
        }
    }
    Ok(())
}

fn time(pace: Pace) -> Duration {
    pace.time(3.0, 1.5)
}

fn note(
    record: &mut Record,
    path: &str,
    processes: &Processes,
    work: impl FnOnce() -> Result<(u64, Duration)>,
) -> Result<()> {
    let before = processes.cpu();
    let (bytes, took) = work()?;
    let after = processes.cpu();
    let rate = stats::mbits(bytes, took.as_secs_f64());
    record.add(format!("{path}/rate"), rate);
    let mut line = format!("  {path}: {rate:.0} Mbit/s; CPU s/GB:");
    for role in Role::ALL {
        let cpu = (after[&role] - before[&role]) / (bytes as f64 / 1e9);
        record.add(format!("{path}/cpu/{}", role.name()), cpu);
        write!(line, " {} {cpu:.2}", role.name())?;
    }
    let own = |it: Role| after[&it] - before[&it];
    let share = (own(Role::Client) + own(Role::Server)) / (own(Role::Ssh) + own(Role::Sshd));
    record.add(format!("{path}/cpu/share"), share);
    println!("{line} (own/ssh {share:.2})");
    Ok(())
}
