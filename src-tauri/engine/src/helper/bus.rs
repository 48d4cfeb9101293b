//! The helper that the system looks after: one D-Bus call gives a socket to it, and starts it where it does not run.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::Duration,
};

use ropeway_helper_api::bus;
use tokio::time::timeout;
use zbus::{Connection, connection::Builder, zvariant};

use super::failures;
use crate::api::Failure;

/// Starting the service takes a second on a busy machine; systemd itself gives up after 90, and nobody waits that long.
const OPEN: Duration = Duration::from_secs(25);

/// Nobody there.
const UNKNOWN: [&str; 2] =
    ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"];

/// The helper died with our question; the next one starts another.
const DIED: &str = "org.freedesktop.DBus.Error.NoReply";

/// Why there is no socket.
#[derive(Debug)]
pub enum Refusal {
    /// There is no system bus, or no helper is installed on it.
    Absent(String),
    Failed(Failure),
}

/// A private line.
pub async fn open() -> Result<UnixStream, Refusal> {
    let late = || Err(Refusal::Failed(failures::missing("the system's message bus does not answer")));
    timeout(OPEN, ask()).await.unwrap_or_else(|_| late())
}

async fn ask() -> Result<UnixStream, Refusal> {
    let connection = connect().await.map_err(|error| Refusal::Absent(error.to_string()))?;
    let call = || connection.call_method(Some(bus::NAME), bus::PATH, Some(bus::INTERFACE), bus::OPEN, &());
    let reply = match call().await {
        Err(zbus::Error::MethodError(name, ..)) if name.as_str() == DIED => call().await,
        reply => reply,
    };
    let reply = reply.map_err(refusal)?;
    socket(&reply).map_err(|error| Refusal::Failed(failures::missing(error.to_string())))
}

/// Opens what this user's tunnels left closed. Needs no grant.
pub async fn restore() -> Result<(), Failure> {
    let ask = async {
        let connection = connect().await?;
        let interface = Some(bus::INTERFACE);
        connection.call_method(Some(bus::NAME), bus::PATH, interface, bus::RESTORE, &()).await
    };
    match timeout(OPEN, ask).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refusal(error).into()),
        Err(_) => Err(failures::missing("the system's message bus does not answer")),
    }
}

async fn connect() -> zbus::Result<Connection> {
    Builder::system()?.build().await
}

fn socket(reply: &zbus::Message) -> io::Result<UnixStream> {
    let fd: zvariant::OwnedFd = reply.body().deserialize().map_err(io::Error::other)?;
    Ok(UnixStream::from(OwnedFd::from(fd)))
}

fn refusal(error: zbus::Error) -> Refusal {
    match error {
        zbus::Error::MethodError(name, detail, _) => by_name(name.as_str(), &detail.unwrap_or_default()),
        other => Refusal::Failed(failures::missing(other.to_string())),
    }
}

fn by_name(name: &str, detail: &str) -> Refusal {
    if UNKNOWN.contains(&name) {
        return Refusal::Absent(detail.to_owned());
    }
    Refusal::Failed(failures::on_bus(name, detail))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Absent(detail) => failures::missing(detail),
            Refusal::Failed(failure) => failure,
        }
    }
}
