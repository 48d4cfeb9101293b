//! Somebody who types: 64 bytes every 50 ms or so, each sent back by the target. Sending does not wait for answers, as
//! fingers do not.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::connect;
use crate::{
    Host,
    bench::target::{Purpose, SMALL},
};

/// Between two key presses: 40 to 60 ms, so that they fall into step with nothing.
const LEAST_PAUSE: u64 = 40_000;
const PAUSE_SPREAD: u64 = 20_000;

/// A connection on which somebody types, until the value is dropped.
#[derive(Debug)]
pub struct Echo {
    socket: TcpStream,
    sent: Arc<Mutex<Vec<Instant>>>,
    answered: Arc<Mutex<Vec<Instant>>>,
    threads: Vec<JoinHandle<()>>,
}

/// A key press: when, and what its round trip took, in seconds; or, without an answer, how long it has waited.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Press {
    pub at: Instant,
    pub took: f64,
    pub answered: bool,
}

impl Echo {
    /// From the host, through whatever tunnel is there.
    pub fn start(host: &Host) -> Result<Self> {
        let socket = host.run(|| connect(&[Purpose::Echo as u8]))?.context("no connection for the echo")?;
        let (sent, answered) = (Arc::default(), Arc::default());
        let threads = vec![
            thread::spawn({
                let (socket, sent) = (socket.try_clone()?, Arc::clone(&sent));
                move || press(&socket, &sent)
            }),
            thread::spawn({
                let (socket, answered) = (socket.try_clone()?, Arc::clone(&answered));
                move || listen(&socket, &answered)
            }),
        ];
        Ok(Self { socket, sent, answered, threads })
    }

    /// All key presses since the moment.
    pub fn presses(&self, since: Instant) -> Vec<Press> {
        let now = Instant::now();
        // answers first: what is sent between the two locks only waits for its answer
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answers = answered.iter().map(Some).chain(std::iter::repeat(None));
        let presses = sent.iter().zip(answers).map(|(at, answer)| Press {
            at: *at,
            took: answer.unwrap_or(&now).saturating_duration_since(*at).as_secs_f64(),
            answered: answer.is_some(),
        });
        presses.filter(|press| press.at >= since).collect()
    }

    /// Round trips in milliseconds since the moment. Those without an answer count with the time they have waited,
    /// if that is longer than what half of the others took: leaving them out would praise a tunnel that stands still.
    pub fn round_trips(&self, since: Instant) -> Result<Vec<f64>> {
        let presses = self.presses(since);
        let answered: Vec<f64> = presses.iter().filter(|it| it.answered).map(|it| it.took * 1e3).collect();
        let usual = if answered.is_empty() { 0.0 } else { crate::bench::stats::median(&answered) };
        let waiting =
            presses.iter().filter(|it| !it.answered && it.took * 1e3 > usual).map(|it| it.took * 1e3);
        let all: Vec<_> = answered.iter().copied().chain(waiting).collect();
        ensure!(!all.is_empty(), "nobody answered a key press");
        Ok(all)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn press(mut socket: &TcpStream, sent: &Mutex<Vec<Instant>>) {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    loop {
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        if socket.write_all(&[b'k'; SMALL]).is_err() {
            return;
        }
        // xorshift64: needs no better randomness than not to be regular
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        thread::sleep(Duration::from_micros(LEAST_PAUSE + noise % PAUSE_SPREAD));
    }
}

fn listen(mut socket: &TcpStream, answered: &Mutex<Vec<Instant>>) {
    let mut answer = [0; SMALL];
    while socket.read_exact(&mut answer).is_ok() {
        answered.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
}
