//! The listener's ports: a range of eight on loopback, or on all addresses where others share the tunnel (what the kernel
//! redirects for them arrives under the address of the interface that it came in on), the same numbers for both families.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    sync::Arc,
};

use ropeway_helper_api::{ListenerPorts, Ports};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// With one port NAT changes the source port of 25 % of 8000 clients, and then nobody can tell whose connection it
/// is; with eight, of none (measured).
const COUNT: u16 = 8;

/// Where the search begins and ends: below the ephemeral ports (32768 on), above the well-known services.
const SEARCH: Range<u16> = 12300..20300;

/// Connections that may wait to be accepted: a burst of 2 500 during a busy 300 ms loses none at this, most of
/// 500 wait a second at 128 (measured).
const BACKLOG: u32 = 4096;

/// Bound listeners; not yet accepting.
pub struct Listeners {
    pub all: Vec<Arc<TcpListener>>,
    pub ports: ListenerPorts,
}

impl Listeners {
    /// The first free range. A computer without IPv6 gets IPv4 alone, and the other way round.
    pub fn bind(shared: bool) -> io::Result<Self> {
        let families = available(shared);
        for first in SEARCH.step_by(usize::from(COUNT)) {
            match bind_range(&families, first) {
                Ok(all) => {
                    return Ok(Self {
                        all: all.into_iter().map(Arc::new).collect(),
                        ports: ports(&families, first),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

fn available(shared: bool) -> Vec<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let addresses = if shared { all } else { loopback };
    addresses.into_iter().filter(|ip| listen(SocketAddr::new(*ip, 0)).is_ok()).collect()
}

fn bind_range(families: &[IpAddr], first: u16) -> io::Result<Vec<TcpListener>> {
    let ports = first..first + COUNT;
    families.iter().flat_map(|ip| ports.clone().map(|port| listen(SocketAddr::new(*ip, port)))).collect()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // else it would take the port of IPv4, too
        SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn ports(families: &[IpAddr], first: u16) -> ListenerPorts {
    let range = Ports { first, last: first + COUNT - 1 };
    let of = |v4: bool| families.iter().any(|ip| ip.is_ipv4() == v4).then_some(range);
    ListenerPorts { v4: of(true), v6: of(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_engines_get_ranges_of_their_own() {
        let (one, two) = (Listeners::bind(false).unwrap(), Listeners::bind(true).unwrap());
        let (one, two) = (one.ports.v4.unwrap(), two.ports.v4.unwrap());
        assert!(one.last < two.first || two.last < one.first, "{one:?} {two:?}");
        assert_eq!(one.last - one.first + 1, COUNT);
    }
}
