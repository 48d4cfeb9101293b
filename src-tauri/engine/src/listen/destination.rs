//! Where a captured connection wanted to go: somebody has to be asked.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

/// Who knows it. On Linux the kernel tells through the socket itself; where only root may ask (pf), the helper will.
pub trait OriginalDestination: Send + Sync + 'static {
    /// Err when the connection was not redirected: somebody has found the listener.
    fn original(&self, client: &TcpStream) -> impl Future<Output = io::Result<SocketAddr>> + Send;
}
