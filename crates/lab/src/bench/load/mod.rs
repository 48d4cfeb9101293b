//! What is done through a tunnel while something is measured: [`bulk`] moves as much as it can, [`echo`] asks for
//! small answers, [`visits`] are short, [`hold`] holds idle connections, [`meter`] reads how much was moved. All of it ends when told to, whatever the tunnel does.

pub mod bulk;
pub mod echo;
pub mod hold;
pub mod meter;
pub mod questions;
pub mod visits;

use std::{
    io,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::{Family, Place};

use super::target;

/// How long a connection may take to be there. The slowest queue here is 9 s long.
const CONNECT: Duration = Duration::from_secs(15);

/// The target as the tunnel reaches it.
pub fn address() -> SocketAddr {
    SocketAddr::new(Place::Private.address(Family::V4), target::PORT)
}

/// A connection of that purpose, from the calling thread's network.
pub fn connect(opening: &[u8]) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address(), CONNECT)?;
    socket.set_nodelay(true)?;
    io::Write::write_all(&mut &socket, opening)?;
    Ok(socket)
}
