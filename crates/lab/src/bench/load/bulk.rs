//! Streams that move as much as they can, until stopped.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};

use super::connect;
use crate::{Host, bench::target::Purpose};

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Way {
    Down,
    Up,
}

impl Way {
    /// In this order they are measured and shown.
    pub const BOTH: [Self; 2] = [Self::Down, Self::Up];

    /// In paths of the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// Written and read at a time; more does not make a socket of this machine faster.
const BLOCK: usize = 256 << 10;

/// Running streams. They end with the value.
#[derive(Debug)]
pub struct Bulk {
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    /// What arrived at the client.
    pub received: Arc<AtomicU64>,
}

impl Bulk {
    /// Starts `streams` of them from the host. `counter` is the target's, for what goes up.
    pub fn start(host: &Host, way: Way, streams: usize, counter: u8) -> Result<Self> {
        let mut bulk = Self { sockets: Vec::new(), threads: Vec::new(), received: Arc::default() };
        for _ in 0..streams {
            bulk.add(host, way, counter).context("no connection for a bulk stream")?;
        }
        Ok(bulk)
    }

    fn add(&mut self, host: &Host, way: Way, counter: u8) -> Result<()> {
        let opening: &[u8] = match way {
            Way::Down => &[Purpose::Zeros as u8],
            Way::Up => &[Purpose::Discard as u8, counter],
        };
        let socket = host.run(|| connect(opening))??;
        self.sockets.push(socket.try_clone()?);
        let received = Arc::clone(&self.received);
        self.threads.push(thread::spawn(move || {
            // ends with an error: the socket is shut down under it
            let _ = match way {
                Way::Down => take(&socket, &received),
                Way::Up => give(&socket),
            };
        }));
        Ok(())
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        for socket in &self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn take(mut socket: &TcpStream, received: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    loop {
        let bytes = socket.read(&mut buffer)?;
        if bytes == 0 {
            return Ok(());
        }
        received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

fn give(mut socket: &TcpStream) -> io::Result<()> {
    let buffer = vec![0; BLOCK];
    loop {
        socket.write_all(&buffer)?;
    }
}
