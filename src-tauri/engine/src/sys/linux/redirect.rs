//! Where a redirected connection wanted to go: the kernel's connection tracking knows.

use std::{io, net::SocketAddr};

use socket2::SockRef;
use tokio::net::TcpStream;

/// Asynchronous because on macOS the helper must be asked.
pub async fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    let address =
        if stream.local_addr()?.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() }?;
    address.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
