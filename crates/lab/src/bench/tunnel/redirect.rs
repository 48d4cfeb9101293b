//! What makes `ssh -D` transparent: accepts what the firewall redirects here, asks the kernel where it was to go, and
//! asks for that with SOCKS 5 (RFC 1928). No login, IPv4.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::Result;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes},
    net::{TcpSocket, TcpStream},
};

use crate::bench::limits;

/// Connections that wait to be accepted: more than ever come at one instant.
const BACKLOG: u32 = 4_096;

/// Copied at a time: ssh reads no more than 32 KiB from a forwarded connection.
const BLOCK: usize = 32 << 10;

/// Serves for ever.
pub fn serve(listen: &str, socks: &str) -> Result<()> {
    limits::raise()?;
    let (listen, socks): (SocketAddr, SocketAddr) = (listen.parse()?, socks.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        let listener = socket.listen(BACKLOG)?;
        loop {
            match listener.accept().await {
                // an end on either side ends both, and nobody needs to know
                Ok((stream, _)) => drop(tokio::spawn(one(stream, socks))),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    })
}

async fn one(mut stream: TcpStream, socks: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let there =
        SockRef::from(&stream).original_dst_v4()?.as_socket_ipv4().ok_or(io::ErrorKind::Unsupported)?;
    let mut proxy = TcpStream::connect(socks).await?;
    proxy.set_nodelay(true)?;
    ask(&mut proxy, there).await?;
    copy_bidirectional_with_sizes(&mut stream, &mut proxy, BLOCK, BLOCK).await?;
    Ok(())
}

/// Greeting and request at once: ssh answers both in turn.
async fn ask(proxy: &mut TcpStream, address: SocketAddrV4) -> io::Result<()> {
    let mut request = vec![5, 1, 0, 5, 1, 0, 1];
    request.extend(address.ip().octets());
    request.extend(address.port().to_be_bytes());
    proxy.write_all(&request).await?;
    let mut answer = [0; 12];
    proxy.read_exact(&mut answer).await?;
    if answer[..4] == [5, 0, 5, 0] { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}
