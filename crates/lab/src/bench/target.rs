//! The service in the private network that measurements talk to: one process, no thread for each connection, so that
//! ten thousand idle ones cost it next to nothing. The first byte of a connection says what it is for.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream as Stream},
};

use super::limits;

/// Where it listens in the private network.
pub const PORT: u16 = 7_000;

/// Connections that wait to be accepted: more than ever come at one instant.
const BACKLOG: u32 = 4_096;

/// Read and written at a time in bulk: what two of ssh's channel windows hold is not more than a few of these.
const BLOCK: usize = 256 << 10;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Everything is sent back.
    Echo = b'e',
    /// Zeros, until the other side has enough.
    Zeros = b'z',
    /// What comes is counted and thrown away; the next byte is the number of the counter.
    Discard = b'd',
    /// The next byte is the number of a counter; its eight bytes are the answer, each time.
    Count = b'c',
    /// After 64 bytes of request 64 bytes of answer, then the end.
    Request = b'r',
    /// The next eight bytes say how much is read before nothing is read any more.
    Stop = b's',
}

/// Of a request and its answer, and of an echo: as small as a key press and its effect on a screen are.
pub const SMALL: usize = 64;

type Counters = Arc<Mutex<HashMap<u8, Arc<AtomicU64>>>>;

/// Serves for ever.
pub fn serve() -> Result<()> {
    limits::raise()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::UNSPECIFIED, PORT).into())?;
        let listener = socket.listen(BACKLOG)?;
        let counters = Counters::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            };
            let counters = Arc::clone(&counters);
            tokio::spawn(async move {
                // a visitor who goes away early is not our trouble
                let _ = one(stream, counters).await;
            });
        }
    })
}

async fn one(mut stream: Stream, counters: Counters) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match stream.read_u8().await? {
        b'e' => echo(stream).await,
        b'z' => zeros(stream).await,
        b'd' => discard(stream, counters).await,
        b'c' => count(stream, counters).await,
        b'r' => {
            let mut request = [0; SMALL];
            stream.read_exact(&mut request).await?;
            stream.write_all(&request).await?;
            stream.shutdown().await
        }
        b's' => stop(stream).await,
        _ => Ok(()),
    }
}

async fn echo(mut stream: Stream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut buffer = [0; 4 * SMALL];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(bytes) => stream.write_all(&buffer[..bytes]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn zeros(mut stream: Stream) -> io::Result<()> {
    let block = vec![0; BLOCK];
    loop {
        stream.write_all(&block).await?;
    }
}

async fn discard(mut stream: Stream, counters: Counters) -> io::Result<()> {
    let counter = counter(&counters, stream.read_u8().await?);
    let mut buffer = vec![0; BLOCK];
    loop {
        let bytes = stream.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

async fn count(mut stream: Stream, counters: Counters) -> io::Result<()> {
    loop {
        let counter = counter(&counters, stream.read_u8().await?);
        stream.write_u64_le(counter.load(Ordering::Relaxed)).await?;
    }
}

async fn stop(mut stream: Stream) -> io::Result<()> {
    let wanted = stream.read_u64_le().await?;
    tokio::io::copy(&mut (&mut stream).take(wanted), &mut tokio::io::sink()).await?;
    std::future::pending().await
}

fn counter(counters: &Counters, number: u8) -> Arc<AtomicU64> {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(counters.entry(number).or_default())
}

/// Reads a counter of the target over a connection that is not the tunnel's.
#[derive(Debug)]
pub struct CounterReader(TcpStream);

impl CounterReader {
    /// Called in the private network.
    pub fn connect() -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let socket = TcpStream::connect(address).context("the bench's target does not listen")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        io::Write::write_all(&mut &socket, &[Purpose::Count as u8])?;
        Ok(Self(socket))
    }

    /// What it says now.
    pub fn read(&self, number: u8) -> io::Result<u64> {
        let mut value = [0; 8];
        io::Write::write_all(&mut &self.0, &[number])?;
        io::Read::read_exact(&mut &self.0, &mut value)?;
        Ok(u64::from_le_bytes(value))
    }
}
