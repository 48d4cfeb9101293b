//! New connections: as many as it can in a row, and 500 at one instant.

use anyhow::Result;

use super::Pace;
use crate::bench::{
    load::visits::{PATIENCE, Visits},
    record::Record,
    stage::Stage,
    stats::quantile,
    tunnel::{Kind, Tunnel},
};

/// Visits at a time: a browser's limit for six hosts or so.
const WORKERS: usize = 32;

/// Of a burst: the page of a big shop, or an editor that indexes a project over the network.
pub const BURST: usize = 500;

/// Those that are compared.
pub const KINDS: &[Kind] = &[Kind::Ropeway, Kind::Sshuttle, Kind::Socks];

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    stage.join_by(None)?;
    for _ in 0..pace.rounds(3) {
        for kind in KINDS {
            let path = format!("connections/{}", kind.name());
            record.attempt(&path, |record| steady(stage, record, &path, *kind, pace));
            let path = format!("connections/burst/{}", kind.name());
            record.attempt(&path, |record| burst(stage, record, &path, *kind));
        }
    }
    Ok(())
}

fn steady(stage: &Stage, record: &mut Record, path: &str, kind: Kind, pace: Pace) -> Result<()> {
    let _tunnel = Tunnel::start(stage, kind)?;
    let visits = Visits::steady(&stage.lab.client(), WORKERS, pace.time(4.0, 2.0))?;
    record.add(format!("{path}/rate"), visits.rate);
    println!("  {path}: {:.0}/s, {}", visits.rate, note(record, path, &visits));
    Ok(())
}

fn burst(stage: &Stage, record: &mut Record, path: &str, kind: Kind) -> Result<()> {
    let _tunnel = Tunnel::start(stage, kind)?;
    let visits = Visits::burst(&stage.lab.client(), BURST)?;
    println!("  {path}: {} of {BURST} answered, {}", visits.took.len(), note(record, path, &visits));
    Ok(())
}

/// Percentiles are of all: who got no answer has waited until giving up.
fn note(record: &mut Record, path: &str, visits: &Visits) -> String {
    let given_up = std::iter::repeat_n(PATIENCE.as_secs_f64() * 1e3, visits.failed);
    let all: Vec<f64> = visits.took.iter().copied().chain(given_up).collect();
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&all, share));
    record.add(format!("{path}/p50"), p50);
    record.add(format!("{path}/p99"), p99);
    record.add(format!("{path}/failed"), visits.failed as f64);
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, {} failed {}", visits.failed, visits.reason)
}
