//! From the start of the program to the first bytes through the tunnel.

use std::{fs, thread, time::Duration};

use anyhow::Result;

use super::{LinkName, Pace, path_of};
use crate::bench::{
    record::Record,
    stage::Stage,
    tunnel::{Kind, Tunnel},
};

/// The lab's own cable, where programs count, and a usual way to a server, where round trips do.
pub const LINKS: &[Option<LinkName>] = &[None, Some(LinkName { mbits: 50, round_trip_ms: 50 })];

/// What is started: its name in the record, the program, and whether the server has our agent before.
pub const STARTS: &[(&str, Kind, bool)] = &[
    ("ropeway-cached", Kind::Ropeway, true),
    ("ropeway-upload", Kind::Ropeway, false),
    ("socks", Kind::Socks, true),
    ("sshuttle", Kind::Sshuttle, true),
];

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    for link in LINKS {
        stage.join_by(link.map(LinkName::spec).as_ref())?;
        // puts the agent there
        drop(Tunnel::start(stage, Kind::Ropeway)?);
        for _ in 0..pace.rounds(7) {
            for (name, kind, cached) in STARTS {
                let path = format!("start/{}/{name}", path_of(*link));
                record.attempt(&path, |record| one(stage, record, &path, *kind, *cached));
            }
        }
    }
    Ok(())
}

fn one(stage: &Stage, record: &mut Record, path: &str, kind: Kind, cached: bool) -> Result<()> {
    let cache = stage.lab.server().home_of_lab_user().join(".cache/ropeway");
    if !cached && cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    let (tunnel, seconds) = Tunnel::start_timed(stage, kind)?;
    record.add(path, seconds * 1e3);
    println!("  {path}: {:.0} ms", seconds * 1e3);
    drop(tunnel);
    // what the last one leaves behind for a moment is not to slow the next one's start
    thread::sleep(Duration::from_millis(100));
    Ok(())
}
