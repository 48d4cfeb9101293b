//! Where captured questions arrive: one port on both loopback addresses. A socket on all addresses would answer from another
//! address than the one that was asked, and programs would not take it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    sync::Arc,
};

use socket2::SockRef;
use tokio::net::UdpSocket;

/// Where the search begins and ends: behind the ports for connections, below the ephemeral ones (32768 on).
const SEARCH: Range<u16> = 20400..22400;

/// Bytes of questions that may wait while the engine is at something else: 5 000 a second of 100 bytes, each counted by the
/// kernel as about 800, for 50 ms.
const WAITING: usize = 256 << 10;

/// Bound; not yet read.
#[derive(Clone)]
pub struct Sockets {
    pub all: Vec<Arc<UdpSocket>>,
    pub v4: Option<u16>,
    pub v6: Option<u16>,
}

impl Sockets {
    /// The first free port. A computer without IPv6 gets IPv4 alone, and the other way round.
    pub fn bind() -> io::Result<Self> {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let families: Vec<IpAddr> = loopback.into_iter().filter(|ip| open(*ip, 0).is_ok()).collect();
        for port in SEARCH {
            match families.iter().map(|ip| open(*ip, port)).collect::<io::Result<Vec<_>>>() {
                Ok(all) => {
                    let of = |v4: bool| families.iter().any(|ip| ip.is_ipv4() == v4).then_some(port);
                    return Ok(Self {
                        all: all.into_iter().map(Arc::new).collect(),
                        v4: of(true),
                        v6: of(false),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

fn open(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(SocketAddr::new(ip, port))?;
    socket.set_nonblocking(true)?;
    // as much as an administrator allows; more is a favour
    let _ = SockRef::from(&socket).set_recv_buffer_size(WAITING);
    UdpSocket::from_std(socket)
}
