//! Which congestion control TCP uses: cubic, as Linux ships, whatever the machine's own default is. It is said for each
//! route, which also works where a namespace may not choose its default.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use socket2::SockRef;

use crate::Host;

/// The one that is used.
const CUBIC: &str = "cubic";

/// Makes new IPv4 connections of the host use cubic, those to itself too. Routes that are made later do not.
pub fn use_cubic(host: &Host) -> Result<()> {
    let root = host.as_root();
    let routes = root.command("ip")?.args(["-4", "route", "show", "table", "all"]).output()?;
    let routes = String::from_utf8_lossy(&routes.stdout).into_owned();
    let script = routes
        .lines()
        .filter(|route| ["broadcast", "unreachable", "blackhole"].iter().all(|kind| !route.starts_with(kind)))
        .filter(|route| !route.contains("congctl"))
        .fold(String::new(), |script, route| {
            script + "route replace " + route.trim_end() + " congctl cubic\n"
        });
    let mut ip = root.command("ip")?;
    let mut ip = ip.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    ip.stdin.take().context("ip has no input")?.write_all(script.as_bytes())?;
    let output = ip.wait_with_output()?;
    ensure!(output.status.success(), "ip: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Fails unless a connection from the host to there uses cubic.
pub fn check_cubic(host: &Host, to: SocketAddr) -> Result<()> {
    let socket = host.run(|| TcpStream::connect(to))?.with_context(|| format!("nobody is at {to}"))?;
    let used = SockRef::from(&socket).tcp_congestion()?;
    let used = String::from_utf8_lossy(&used);
    ensure!(used.trim_end_matches('\0') == CUBIC, "connections to {to} use {used} in place of {CUBIC}");
    Ok(())
}
