//! A link that becomes five times slower, and fast again: how long key presses take meanwhile, and how long the link
//! stays unused after.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::Pace;
use crate::{
    bench::{
        load::{
            bulk::{Bulk, Way},
            echo::{Echo, Press},
            meter::{Meter, Readings},
        },
        record::Record,
        stage::Stage,
        stats::median,
        tunnel::{Kind, Tunnel},
    },
    link::Spec,
};

/// Mbit/s, and seconds after the schedule began.
const SCHEDULE: &str = "50,10@4,50@12";
const DOWN_AT: f64 = 4.0;
const UP_AT: f64 = 12.0;
const END: Duration = Duration::from_secs(18);

const DELAY: Duration = Duration::from_millis(25);

/// The mean of so much time counts as the rate at a moment: five round trips, in which pacing evens out.
const WINDOW: Duration = Duration::from_millis(250);

/// Latency is back if it stays so for that long.
const STEADY: f64 = 1.0;

/// Of the rate before the step, in a window; the rest is noise of a window that short.
const FULL: f64 = 0.9;

/// Those that are shown.
pub const KINDS: &[Kind] = &[Kind::Ropeway, Kind::Unbounded, Kind::Sshuttle];

const COUNTER: u8 = 3;

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    let spec = Spec::new(SCHEDULE.parse()?, DELAY);
    for round in 0..pace.rounds(2) {
        // how the others do is told, and decides nothing
        for kind in KINDS.iter().filter(|kind| round == 0 || **kind == Kind::Ropeway) {
            for way in Way::BOTH {
                stage.join_by(Some(&spec))?;
                let path = format!("step/{}/{}", way.name(), kind.name());
                record.attempt(&path, |record| one(stage, record, &path, *kind, way));
            }
        }
    }
    Ok(())
}

fn one(stage: &Stage, record: &mut Record, path: &str, kind: Kind, way: Way) -> Result<()> {
    let link = stage.link().context("the link is gone")?;
    link.restart_schedule();
    let _tunnel = Tunnel::start(stage, kind)?;
    let client = stage.lab.client();
    let echo = Echo::start(&client)?;
    let began = Instant::now();
    thread::sleep(Duration::from_secs(1));
    let base = median(&echo.round_trips(began)?);
    link.restart_schedule();
    let bulk = Bulk::start(&client, way, 1, COUNTER)?;
    let meter = Meter::of(&stage.lab, &bulk, way, COUNTER)?;
    // the tunnel is at full speed before the step comes
    thread::sleep(Duration::from_millis(1500));
    link.restart_schedule();
    let began = Instant::now();
    let readings = meter.watch(END)?;
    note(record, path, base, &echo.presses(began), &readings, began);
    Ok(())
}

fn note(record: &mut Record, path: &str, base: f64, presses: &[Press], readings: &Readings, began: Instant) {
    let since = |at: Instant| at.saturating_duration_since(began).as_secs_f64();
    let trips: Vec<(f64, f64)> = presses.iter().map(|it| (since(it.at), it.took * 1e3)).collect();
    let rates = readings.rates(began, WINDOW);
    let recovery = recovery(&trips, base * 2.0);
    let full = full_rate(&rates);
    let worst = within(&trips, DOWN_AT, UP_AT).map(|it| it.1).fold(0.0, f64::max);
    record.add(format!("{path}/base"), base);
    record.add(format!("{path}/worst"), worst);
    record.add(format!("{path}/recovery"), recovery);
    record.add(format!("{path}/full"), full);
    println!(
        "  {path}: base {base:.1} ms, worst {worst:.0} ms, below 2x {recovery:.2} s after the step down, \
         full rate {full:.2} s after the step up"
    );
    // the last ones have not waited long enough to be shown
    let answered = presses.iter().filter(|it| it.answered).map(|it| (since(it.at), it.took * 1e3)).collect();
    record.series.insert(format!("{path}/trips"), answered);
    record.series.insert(format!("{path}/rates"), rates);
}

/// Seconds from the step down until key presses take less than `limit` and stay so; infinite if they never do.
fn recovery(trips: &[(f64, f64)], limit: f64) -> f64 {
    let steady = |from: f64| within(trips, from, from + STEADY).all(|it| it.1 <= limit);
    let mut moments = within(trips, DOWN_AT, UP_AT - STEADY);
    moments.find(|it| steady(it.0)).map_or(f64::INFINITY, |it| it.0 - DOWN_AT)
}

/// Seconds from the step up until the rate is what it was before the step down; infinite if it never is.
fn full_rate(rates: &[(f64, f64)]) -> f64 {
    let before: Vec<f64> = within(rates, 0.5, DOWN_AT).map(|it| it.1).collect();
    let wanted = median(&before) * FULL;
    let found = within(rates, UP_AT, f64::INFINITY).find(|it| it.1 >= wanted);
    found.map_or(f64::INFINITY, |it| it.0 - UP_AT)
}

fn within(points: &[(f64, f64)], from: f64, to: f64) -> impl Iterator<Item = (f64, f64)> {
    points.iter().copied().filter(move |it| it.0 >= from && it.0 < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_back_when_it_stays_so() {
        let trip = |tenth: u32| {
            (f64::from(tenth) / 10.0, if (41..46).contains(&tenth) || tenth == 50 { 300.0 } else { 60.0 })
        };
        let trips: Vec<_> = (0..180).map(trip).collect();
        assert!((recovery(&trips, 100.0) - 1.1).abs() < 0.01);
        assert!(recovery(&trips, 50.0).is_infinite());
    }

    #[test]
    fn full_rate_is_what_it_was_before() {
        let rate =
            |tenth: u32| (f64::from(tenth) / 10.0, if (40..135).contains(&tenth) { 9.6 } else { 47.0 });
        let rates: Vec<_> = (0..180).map(rate).collect();
        assert!((full_rate(&rates) - 1.5).abs() < 0.01);
    }
}
