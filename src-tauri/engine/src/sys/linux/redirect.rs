//! Where a redirected connection wanted to go: the kernel's connection tracking knows.

use std::{io, net::SocketAddr};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::listen::destination::OriginalDestination;

/// The kernel, asked through the connection's own socket.
#[derive(Debug, Default)]
pub struct Kernel;

impl OriginalDestination for Kernel {
    async fn original(&self, client: &TcpStream) -> io::Result<SocketAddr> {
        let socket = SockRef::from(client);
        let v4 = client.local_addr()?.is_ipv4();
        let address = if v4 { socket.original_dst_v4() } else { socket.original_dst_v6() }?;
        address.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}
