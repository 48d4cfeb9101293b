//! Short connections: connect, one small request, one small answer, the end. Many after each other, or all at once.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::address;
use crate::{
    Host,
    bench::target::{Purpose, SMALL},
};

/// When somebody who waits for a page gives up.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What came of them.
#[derive(Debug, Default)]
pub struct Visits {
    /// Milliseconds, of those that were answered.
    pub took: Vec<f64>,
    /// Not answered within [`PATIENCE`], or with an error.
    pub failed: usize,
    /// What the first of these said.
    pub reason: String,
    /// Answers for each second of the time that there was.
    pub rate: f64,
}

impl Visits {
    /// `workers` of them, each making one visit after the other for that long.
    pub fn steady(host: &Host, workers: usize, time: Duration) -> Result<Self> {
        in_host(host, async move {
            let began = Instant::now();
            let mut tasks = JoinSet::new();
            for _ in 0..workers {
                tasks.spawn(async move {
                    let mut results = Vec::new();
                    let mut in_time = 0;
                    while began.elapsed() < time {
                        results.push(visit().await);
                        in_time +=
                            u32::from(results.last().is_some_and(Result::is_ok) && began.elapsed() < time);
                    }
                    (results, in_time)
                });
            }
            let (results, in_time): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
            let rate = f64::from(in_time.iter().sum::<u32>()) / time.as_secs_f64();
            Self { rate, ..Self::of(results.into_iter().flatten()) }
        })
    }

    /// That many at the same instant.
    pub fn burst(host: &Host, count: usize) -> Result<Self> {
        in_host(host, async move {
            let mut tasks = JoinSet::new();
            for _ in 0..count {
                tasks.spawn(visit());
            }
            Self::of(tasks.join_all().await.into_iter())
        })
    }

    fn of(results: impl Iterator<Item = io::Result<f64>>) -> Self {
        let mut visits = Self::default();
        for result in results {
            match result {
                Ok(took) => visits.took.push(took),
                Err(error) => {
                    if visits.failed == 0 {
                        visits.reason = error.to_string();
                    }
                    visits.failed += 1;
                }
            }
        }
        visits
    }
}

/// Sockets belong to the network of the thread that makes them, so the runtime has no other.
fn in_host<T: Send>(host: &Host, work: impl Future<Output = T> + Send) -> Result<T> {
    host.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work))
    })?
}

async fn visit() -> io::Result<f64> {
    let began = Instant::now();
    timeout(PATIENCE, exchange()).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

async fn exchange() -> io::Result<()> {
    let mut socket = TcpStream::connect(address()).await?;
    socket.set_nodelay(true)?;
    let mut request = [0; SMALL + 1];
    request[0] = Purpose::Request as u8;
    socket.write_all(&request).await?;
    let mut answer = Vec::with_capacity(SMALL);
    socket.read_to_end(&mut answer).await?;
    if answer.len() == SMALL { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
