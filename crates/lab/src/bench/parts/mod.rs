//! The measurements, one file each. Every part can be run alone.

pub mod both;
pub mod bulk;
pub mod connections;
pub mod idle;
pub mod load;
pub mod names;
pub mod start;
pub mod step;
pub mod stopped;

use std::time::Duration;

use anyhow::{Result, bail};

use super::{record::Record, stage::Stage};
use crate::link::{Schedule, Spec};

/// A part: what it is called on the command line and in the record, and how it is measured.
pub type Part = (&'static str, fn(&mut Stage, &mut Record, Pace) -> Result<()>);

/// All, in the order in which they are run.
pub const ALL: &[Part] = &[
    ("bulk", bulk::measure),
    ("load", load::measure),
    ("step", step::measure),
    ("both", both::measure),
    ("connections", connections::measure),
    ("names", names::measure),
    ("start", start::measure),
    ("idle", idle::measure),
    ("stopped", stopped::measure),
];

/// The part of that name.
pub fn named(name: &str) -> Result<&'static Part> {
    let Some(part) = ALL.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        bail!("there is no part {name:?}, but: {}", known.join(" "));
    };
    Ok(part)
}

/// How much patience there is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A glance while something is being tuned, in place of a measurement.
    pub quick: bool,
}

impl Pace {
    /// Rounds of one measurement.
    pub fn rounds(self, patient: usize) -> usize {
        if self.quick { 1 } else { patient }
    }

    /// A time of a measurement.
    pub fn time(self, patient: f64, quick: f64) -> Duration {
        Duration::from_secs_f64(if self.quick { quick } else { patient })
    }
}

/// An emulated link, as tables name it: `50M/50 ms`, the delay being that of the round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LinkName {
    pub mbits: u32,
    pub round_trip_ms: u32,
}

/// Those of the table; `None` is the lab's own cable.
pub const LINKS: &[Option<LinkName>] = &[
    None,
    Some(LinkName { mbits: 20, round_trip_ms: 20 }),
    Some(LinkName { mbits: 50, round_trip_ms: 50 }),
    Some(LinkName { mbits: 100, round_trip_ms: 50 }),
    Some(LinkName { mbits: 100, round_trip_ms: 100 }),
    Some(LinkName { mbits: 2, round_trip_ms: 50 }),
];

impl LinkName {
    /// In paths of the record.
    pub fn path(self) -> String {
        format!("{}M{}ms", self.mbits, self.round_trip_ms)
    }

    /// Its specification.
    pub fn spec(self) -> Spec {
        Spec::new(Schedule::constant(self.mbits.into()), Duration::from_millis(self.round_trip_ms.into()) / 2)
    }
}

/// In paths of the record.
pub fn path_of(link: Option<LinkName>) -> String {
    link.map_or_else(|| "nodelay".to_owned(), LinkName::path)
}
