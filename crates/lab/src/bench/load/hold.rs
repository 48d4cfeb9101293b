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
        let open: usize = line.trim().parse().context("the holder ended")?;
        ensure!(open == count, "{open} of {count} connections opened");
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other process: opens, says how many it has, and holds them until its input ends.
pub fn hold(count: usize) -> Result<()> {
    limits::raise()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let held = runtime.block_on(async {
        let (mut held, mut opening) = (Vec::with_capacity(count), JoinSet::new());
        for _ in 0..count {
            if opening.len() == AT_ONCE {
                held.extend(opening.join_next().await.and_then(flat));
            }
            opening.spawn(open());
        }
        while let Some(one) = opening.join_next().await {
            held.extend(flat(one));
        }
        held
    });
    println!("{}", held.len());
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

fn flat<T, E, F>(result: Result<Result<T, E>, F>) -> Option<T> {
    result.ok()?.ok()
}
