//! The runs. Each kind is run in turn (A B A B …), so that a machine whose speed drifts is unfair to nobody.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{Family, Lab, harness::Ropeway, ports};

/// Bytes of one bulk transfer: a second or so of a fast machine.
const BULK: u64 = 400 << 20;

/// Rounds of the bulk transfers; the median of seven is not moved by two bad ones.
const ROUNDS: usize = 7;

/// Fetches for the time to the first byte.
const FETCHES: usize = 100;

/// Starts of the whole tunnel.
const STARTS: usize = 7;

/// Everything that was measured.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Measured {
    /// Mbit/s.
    pub bulk_raw: Vec<f64>,
    pub bulk_down: Vec<f64>,
    pub bulk_up: Vec<f64>,
    /// Milliseconds from `connect()` to the first byte of the answer.
    pub first_byte_at_server: Vec<f64>,
    pub first_byte_through: Vec<f64>,
    /// Milliseconds.
    pub plain_login: Vec<f64>,
    pub start_first_visit: Vec<f64>,
    pub start_again: Vec<f64>,
}

/// All of it; a few minutes.
pub fn all() -> Result<Measured> {
    let lab = Lab::up("bench")?;
    let mut measured = Measured::default();
    let file = lab.server().home_of_lab_user().join("bulk");
    io::copy(&mut io::repeat(0x5a).take(BULK), &mut File::create(&file)?)?;
    starts(&lab, &mut measured)?;
    let tunnel = Ropeway::connect(&lab, Some("server"), &[lab.private_net(Family::V4)])?;
    for _ in 0..ROUNDS {
        measured.bulk_raw.push(raw(&lab, "cat bulk")?);
        measured.bulk_down.push(down(&lab)?);
        measured.bulk_up.push(up(&lab)?);
    }
    for _ in 0..FETCHES {
        measured.first_byte_at_server.push(first_byte(&lab, &Place::Server)?);
        measured.first_byte_through.push(first_byte(&lab, &Place::Client)?);
    }
    drop(tunnel);
    Ok(measured)
}

enum Place {
    Client,
    Server,
}

/// From the start of the program to a page in hand, with an empty cache on the server and with a full one.
fn starts(lab: &Lab, measured: &mut Measured) -> Result<()> {
    for _ in 0..STARTS {
        measured.plain_login.push(timed(|| ssh(lab, "true"))?);
        let cache = lab.server().home_of_lab_user().join(".cache/ropeway");
        if cache.exists() {
            fs::remove_dir_all(&cache)?;
        }
        measured.start_first_visit.push(timed(|| start(lab))?);
        measured.start_again.push(timed(|| start(lab))?);
    }
    Ok(())
}

fn start(lab: &Lab) -> Result<()> {
    let tunnel = Ropeway::connect(lab, Some("server"), &[lab.private_net(Family::V4)])?;
    fetch(lab)?;
    drop(tunnel);
    Ok(())
}

fn ssh(lab: &Lab, remote: &str) -> Result<()> {
    let status =
        lab.client().command("ssh")?.arg("-F").arg(lab.ssh_config()).args(["server", remote]).status()?;
    ensure!(status.success(), "ssh: {status}");
    Ok(())
}

/// The ceiling: one ssh channel and nothing else.
fn raw(lab: &Lab, remote: &str) -> Result<f64> {
    let mut command = lab.client().command("ssh")?;
    command
        .arg("-F")
        .arg(lab.ssh_config())
        .args(["server", remote])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let bytes = count(child.stdout.take().context("no output")?)?;
    ensure!(child.wait()?.success() && bytes == BULK, "ssh moved {bytes} bytes");
    Ok(mbits(bytes, start.elapsed()))
}

/// A plain TCP connection that asks for `BULK` zeros.
fn down(lab: &Lab) -> Result<f64> {
    transfer(lab, |mut socket| {
        write!(socket, "GET /zeros?{BULK} HTTP/1.0\r\n\r\n")?;
        let bytes = count(socket)?;
        ensure!(bytes >= BULK, "{bytes} bytes came");
        Ok(bytes)
    })
}

fn up(lab: &Lab) -> Result<f64> {
    transfer(lab, |mut socket| {
        write!(socket, "PUT /discard HTTP/1.0\r\nContent-Length: {BULK}\r\n\r\n")?;
        io::copy(&mut io::repeat(0).take(BULK), &mut socket)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        ensure!(answer.contains(&BULK.to_string()), "the server says: {answer}");
        Ok(BULK)
    })
}

fn transfer(lab: &Lab, work: impl FnOnce(TcpStream) -> Result<u64> + Send) -> Result<f64> {
    let address = web(lab);
    lab.client().run(|| {
        let start = Instant::now();
        let bytes = work(TcpStream::connect(address)?)?;
        Ok(mbits(bytes, start.elapsed()))
    })?
}

fn first_byte(lab: &Lab, from: &Place) -> Result<f64> {
    let address = web(lab);
    let host = match from {
        Place::Client => lab.client(),
        Place::Server => lab.server(),
    };
    host.run(|| {
        timed(|| {
            let mut socket = TcpStream::connect(address)?;
            socket.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            Ok(socket.read_exact(&mut [0])?)
        })
    })?
}

fn fetch(lab: &Lab) -> Result<()> {
    let page = lab.client().fetch(&lab.web_url(Family::V4, "/"), Duration::from_secs(10))?;
    ensure!(page.body.contains(lab.word()), "no page through the tunnel: curl {}", page.code);
    Ok(())
}

fn web(lab: &Lab) -> SocketAddr {
    SocketAddr::new(lab.private().address(Family::V4), ports::WEB)
}

fn count(mut stream: impl Read) -> Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(total),
            bytes => total += bytes as u64,
        }
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

fn mbits(bytes: u64, took: Duration) -> f64 {
    bytes as f64 * 8.0 / 1e6 / took.as_secs_f64()
}
