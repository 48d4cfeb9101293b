//! Questions to name servers, answered on the server.

use anyhow::Result;

use super::Pace;
use crate::{
    Family, Place,
    bench::{
        load::questions::Questions,
        record::Record,
        stage::Stage,
        stats::quantile,
        tunnel::{Kind, Tunnel},
    },
};

/// Askers at a time: a browser that opens a page with many names on it.
const ASKERS: usize = 32;

/// What is asked for.
const NAME: &str = "web.corp.test";

/// Those that are compared.
pub const KINDS: &[Kind] = &[Kind::RopewayDns, Kind::SshuttleDns];

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    stage.join_by(None)?;
    stage.lab.set_private_names(&[(NAME, Place::Private.address(Family::V4))])?;
    for _ in 0..pace.rounds(3) {
        for kind in KINDS {
            let path = format!("names/{}", kind.name());
            record.attempt(&path, |record| {
                let _tunnel = Tunnel::start(stage, *kind)?;
                let asked = Questions::steady(&stage.lab.client(), NAME, ASKERS, pace.time(4.0, 2.0))?;
                let [p50, p99] = [0.5, 0.99].map(|share| quantile(&asked.took, share));
                record.add(format!("{path}/rate"), asked.rate);
                record.add(format!("{path}/p50"), p50);
                record.add(format!("{path}/p99"), p99);
                record.add(format!("{path}/failed"), asked.failed as f64);
                println!(
                    "  {path}: {:.0}/s, p50 {p50:.1} ms, p99 {p99:.1} ms, {} failed",
                    asked.rate, asked.failed
                );
                Ok(())
            });
        }
    }
    Ok(())
}
