//! A reader that stopped after it had read for a while, with a gigabyte pushed at it: what that costs in memory, and
//! what it costs another stream.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, ensure};

use super::Pace;
use crate::{
    Host,
    bench::{
        load::{
            bulk::{Bulk, Way},
            connect,
            meter::Meter,
        },
        record::Record,
        stage::Stage,
        target::Purpose,
        tunnel::{Kind, Tunnel},
        usage::Role,
    },
    harness::wait_until,
};

/// Read before it stops: many times the window, which has grown by then.
const READ: u64 = 64 << 20;

/// Pushed at it, if somebody takes it.
const PUSHED: u64 = 1 << 30;

/// How long reading the first part may take: at 13 Mbit/s, a tenth of what the slowest manages here.
const READING: Duration = Duration::from_secs(40);

/// For the push: more than the fastest needs for a gigabyte.
const PUSHING: Duration = Duration::from_secs(4);

/// Those that are compared.
pub const KINDS: &[Kind] = &[Kind::Ropeway, Kind::Sshuttle];

const COUNTER: u8 = 6;

/// All rounds of it.
pub fn measure(stage: &mut Stage, record: &mut Record, pace: Pace) -> Result<()> {
    stage.join_by(None)?;
    for round in 0..pace.rounds(3) {
        for kind in KINDS.iter().filter(|kind| round == 0 || **kind == Kind::Ropeway) {
            for way in Way::BOTH {
                let path = format!("stopped/{}/{}", way.name(), kind.name());
                record.attempt(&path, |record| one(stage, record, &path, *kind, way, pace));
            }
        }
    }
    Ok(())
}

fn one(stage: &Stage, record: &mut Record, path: &str, kind: Kind, way: Way, pace: Pace) -> Result<()> {
    let tunnel = Tunnel::start(stage, kind)?;
    let client = stage.lab.client();
    let alone = rate_of_another(stage, way, pace)?;
    thread::sleep(Duration::from_millis(300));
    let before = tunnel.processes.proportional();
    let stopped = Stopped::start(&client, way)?;
    ensure!(
        wait_until(READING, || stopped.moved.load(Ordering::Relaxed) >= READ),
        "only {} bytes were read",
        stopped.moved.load(Ordering::Relaxed)
    );
    thread::sleep(PUSHING);
    let pushed = tunnel.processes.proportional();
    let beside = rate_of_another(stage, way, pace)?;
    let after = tunnel.processes.proportional();
    let growth = |role: Role| (pushed[&role].max(after[&role]) - before[&role]) / 1e6;
    let (here, there) = (growth(Role::Client), growth(Role::Server));
    record.add(format!("{path}/client"), here);
    record.add(format!("{path}/server"), there);
    record.add(format!("{path}/alone"), alone);
    record.add(format!("{path}/beside"), beside);
    record.add(format!("{path}/kept"), beside / alone);
    println!(
        "  {path}: client {here:+.1} MB, server {there:+.1} MB; another stream {beside:.0} of {alone:.0} Mbit/s ({:.2})",
        beside / alone
    );
    Ok(())
}

fn rate_of_another(stage: &Stage, way: Way, pace: Pace) -> Result<f64> {
    let bulk = Bulk::start(&stage.lab.client(), way, 1, COUNTER)?;
    let meter = Meter::of(&stage.lab, &bulk, way, COUNTER)?;
    thread::sleep(Duration::from_millis(700));
    Ok(meter.watch(pace.time(3.0, 1.5))?.rate())
}

/// The connection with the reader that stops: at the client if bytes go down, at the target if they go up.
struct Stopped {
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
    /// Read before stopping, or written to who does.
    moved: Arc<AtomicU64>,
}

impl Stopped {
    fn start(client: &Host, way: Way) -> Result<Self> {
        let opening = match way {
            Way::Down => vec![Purpose::Zeros as u8],
            Way::Up => [&[Purpose::Stop as u8][..], &READ.to_le_bytes()].concat(),
        };
        let socket = client.run(|| connect(&opening))??;
        let moved = Arc::default();
        let thread = thread::spawn({
            let (socket, moved) = (socket.try_clone()?, Arc::clone(&moved));
            // ends with an error: the socket is shut down under it
            move || drop(if way == Way::Down { read(&socket, &moved) } else { push(&socket, &moved) })
        });
        Ok(Self { socket, thread: Some(thread), moved })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(mut socket: &TcpStream, moved: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while moved.load(Ordering::Relaxed) < READ {
        let bytes = socket.read(&mut buffer)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn push(mut socket: &TcpStream, moved: &AtomicU64) -> io::Result<()> {
    let buffer = vec![0; 256 << 10];
    while moved.load(Ordering::Relaxed) < PUSHED {
        let bytes = socket.write(&buffer)?;
        moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(())
}
