//! The tunnels that are compared, each started as its users would and ended without a trace. [`Tunnel::start`] is where
//! to begin; [`peers`] are the programs of others, [`redirect`] is what makes `ssh -D` transparent, [`raw`] and [`model`] are no
//! tunnels, but what tunnels are held against.

pub mod model;
mod peers;
pub mod raw;
pub mod redirect;

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ropeway_helper_api::Grant;

use super::{
    load,
    stage::Stage,
    target::{Purpose, SMALL},
    usage::{Before, Processes},
};
use crate::{Family, harness::Ropeway};

pub use peers::sshuttle_version;

/// How long a tunnel may take to carry its first byte, on the slowest link here.
const READY: Duration = Duration::from_secs(20);

/// Between two tries: 1 % of the shortest start, which is a login.
const RETRY: Duration = Duration::from_millis(2);

/// Tunnels accept on this computer, which takes no time. Before one does, the lab answers that there is no such host;
/// but if that comes while the kernel is still busy with the connection, it is not heard, and the connection would be
/// tried again after a second.
const CONNECT: Duration = Duration::from_millis(10);

/// How long one try may take from then on.
const TRY: Duration = Duration::from_secs(5);

/// A way from the client into the private network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    /// As at the first login to a server: with the cipher that ssh and sshd agree on by themselves, as the others have it.
    Ropeway,
    /// As at every later login, when it is known that both processors have AES.
    RopewayKnown,
    /// Ropeway that bounds nothing but what ssh itself does: the most that can be moved, at any latency.
    Unbounded,
    /// With `--dns`.
    RopewayDns,
    Sshuttle,
    /// With `--dns`.
    SshuttleDns,
    SshuttleUnbounded,
    /// `ssh -D`, with a redirector before it.
    Socks,
}

impl Kind {
    /// In paths of the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ropeway => "ropeway",
            Self::RopewayKnown => "ropeway-known",
            Self::Unbounded => "unbounded",
            Self::RopewayDns => "ropeway-dns",
            Self::SshuttleDns => "sshuttle-dns",
            Self::Sshuttle => "sshuttle",
            Self::SshuttleUnbounded => "sshuttle-unbounded",
            Self::Socks => "socks",
        }
    }
}

/// What to call something of that name in the record, on the page.
pub fn title(name: &str) -> &str {
    match name {
        "ropeway" => "Ropeway",
        "ropeway-known" => "Ropeway, server known (AES-GCM)",
        "ropeway-dns" => "Ropeway `--dns`",
        "sshuttle-dns" => "sshuttle `--dns`",
        "unbounded" => "Ropeway `--no-latency-control`",
        "sshuttle" => "sshuttle",
        "sshuttle-unbounded" => "sshuttle `--no-latency-control`",
        "socks" => "`ssh -D` + redirector",
        "raw" => "`ssh host cat`",
        "model" => "Python model",
        other => other,
    }
}

/// One that carries. It ends with the value.
#[derive(Debug)]
pub struct Tunnel {
    /// What it is made of.
    pub processes: Processes,
    _running: Running,
}

#[derive(Debug)]
#[allow(dead_code, reason = "held for their ends")]
enum Running {
    Ropeway(Ropeway),
    Peer(peers::Peer),
}

impl Tunnel {
    /// Starts one and waits until it carries.
    pub fn start(stage: &Stage, kind: Kind) -> Result<Self> {
        Ok(Self::start_timed(stage, kind)?.0)
    }

    /// Starts one, and says how many seconds have passed until it carried its first bytes.
    pub fn start_timed(stage: &Stage, kind: Kind) -> Result<(Self, f64)> {
        let before = Before::of(&stage.lab);
        let began = Instant::now();
        let running = Self::launch(stage, kind)?;
        while let Err(error) = carries(stage) {
            ensure!(began.elapsed() < READY, "{} carries nothing after {READY:?}: {error:#}", kind.name());
            thread::sleep(RETRY);
        }
        let took = began.elapsed().as_secs_f64();
        Ok((Self { processes: before.since(&stage.lab), _running: running }, took))
    }

    /// Starts one, and waits for nothing.
    fn launch(stage: &Stage, kind: Kind) -> Result<Running> {
        let lab = &stage.lab;
        let net = lab.private_net(Family::V4);
        Ok(match kind {
            Kind::Ropeway => {
                forget(stage)?;
                Running::Ropeway(Ropeway::start(lab, Some(stage.server()), &[net])?)
            }
            Kind::RopewayKnown => Running::Ropeway(Ropeway::start(lab, Some(stage.server()), &[net])?),
            Kind::Unbounded => {
                forget(stage)?;
                ensure!(can_be_unbounded(stage)?, "this build has no --no-latency-control");
                let args = [net, "--no-latency-control"];
                Running::Ropeway(Ropeway::start(lab, Some(stage.server()), &args)?)
            }
            Kind::RopewayDns => {
                forget(stage)?;
                lab.grant(Grant::All)?;
                Running::Ropeway(Ropeway::start(lab, Some(stage.server()), &[net, "--dns"])?)
            }
            Kind::SshuttleDns => Running::Peer(peers::sshuttle(stage, net, &["--dns"])?),
            Kind::Sshuttle => Running::Peer(peers::sshuttle(stage, net, &[])?),
            Kind::SshuttleUnbounded => Running::Peer(peers::sshuttle(stage, net, &["--no-latency-control"])?),
            Kind::Socks => Running::Peer(peers::socks(stage, net)?),
        })
    }
}

/// What Ropeway has learned of servers.
fn forget(stage: &Stage) -> Result<()> {
    match fs::remove_file(stage.lab.client().home().join(".local/state/ropeway/learned.toml")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// One small answer through whatever tunnel is there.
pub fn carries(stage: &Stage) -> Result<()> {
    let client = stage.lab.client();
    client.run(|| {
        let mut socket = TcpStream::connect_timeout(&load::address(), CONNECT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TRY))?;
        socket.write_all(&[Purpose::Echo as u8])?;
        socket.write_all(&[b'?'; SMALL])?;
        Ok(socket.read_exact(&mut [0; SMALL])?)
    })?
}

fn can_be_unbounded(stage: &Stage) -> Result<bool> {
    let client = stage.lab.client();
    let mut command: Command = client.command(client.program("ropeway")?)?;
    let help = command.args(["run", "--help"]).output().context("ropeway run --help")?;
    Ok(String::from_utf8_lossy(&help.stdout).contains("--no-latency-control"))
}
