//! Many idle connections, held by a process of their own: each needs a descriptor, and this one has its limits.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::address;
use crate::{
    Host,
    bench::{
        limits,
        target::{Purpose, SMALL},
    },
};

/// Opened at a time: few enough for every tunnel.
const AT_ONCE: usize = 32;

/// How long all of them may take: 200 a second.
const OPENING: Duration = Duration::from_secs(50);

/// Connections that are open and idle, until the value is dropped.
#[derive(Debug)]
pub struct Held(Child);

impl Held {
    /// Opens them on the host, and sees that each carries.
    pub fn open(host: &Host, count: usize) -> Result<Self> {
        let mut command = host.command(host.program("ropeway-bench")?)?;
        command.args(["__hold", &count.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("no output")?;
        let held = Self(child);
        let (said, hear) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(output).read_line(&mut line);
            let _ = said.send(line);
        });
        let line =
            hear.recv_timeout(OPENING).with_context(|| format!("not {count} open after {OPENING:?}"))?;
        let (open, error) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let open: usize = open.parse().context("the holder ended")?;
        ensure!(open == count, "{open} of {count} connections opened: {error}");
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other process: opens, says how many it has and what the first one that failed said, and holds them until its
/// input ends.
pub fn hold(count: usize) -> Result<()> {
    limits::raise()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (held, error) = runtime.block_on(async {
        let (mut held, mut error) = (Vec::with_capacity(count), String::new());
        let (mut left, mut opening) = (count, JoinSet::new());
        loop {
            while left > 0 && opening.len() < AT_ONCE {
                opening.spawn(open());
                left -= 1;
            }
            match opening.join_next().await {
                Some(Ok(Ok(socket))) => held.push(socket),
                Some(Ok(Err(reason))) if error.is_empty() => error = reason.to_string(),
                Some(_) => {}
                None => return (held, error),
            }
        }
    });
    println!("{} {error}", held.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn open() -> std::io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address()).await?;
    let mut greeting = [0; SMALL + 1];
    greeting[0] = Purpose::Echo as u8;
    socket.write_all(&greeting).await?;
    socket.read_exact(&mut greeting[..SMALL]).await?;
    Ok(socket)
}
