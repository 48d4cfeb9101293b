//! Other systems tell nothing about a socket without a peer: what is refused there is silently lost.

use std::{io, net::SocketAddr, os::fd::AsFd};

use mio::net::UdpSocket;

/// Nobody keeps them.
pub fn want(_: &impl AsFd, _v4: bool) -> io::Result<()> {
    Ok(())
}

/// None.
pub fn take(_: &UdpSocket) -> Vec<(SocketAddr, io::Error, Vec<u8>)> {
    vec![]
}
