//! One flow's socket.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use mio::{Interest, Registry, Token, net::UdpSocket};
use nix::errno::Errno;
use ropeway_agent_api::{Undelivered, flow};
use socket2::{Domain, Protocol, Type};

use super::errors;

/// The largest payload (RFC 768: its length has 16 bits).
pub const LARGEST: usize = 65_535;

/// Bytes before what an echo says: type, code, checksum, identifier, sequence number (RFC 792, RFC 4443).
const ECHO_HEAD: usize = 8;

/// Types of ICMP messages: a request and its answer.
const ECHO_V4: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Udp,
    Echo,
}

impl Kind {
    pub fn of(of: u32) -> Option<Self> {
        match of {
            flow::UDP => Some(Self::Udp),
            flow::ECHO => Some(Self::Echo),
            _ => None,
        }
    }

    pub fn flow(self) -> u32 {
        match self {
            Self::Udp => flow::UDP,
            Self::Echo => flow::ECHO,
        }
    }
}

pub struct Socket {
    kind: Kind,
    v4: bool,
    /// Of an echo it is a "ping socket": the kernel writes identifier and checksum, and lets nothing else through. It speaks
    /// like one of UDP.
    inner: UdpSocket,
}

impl Socket {
    pub fn open(kind: Kind, v4: bool, registry: &Registry, token: Token) -> io::Result<Self> {
        let protocol = match (kind, v4) {
            (Kind::Udp, _) => Protocol::UDP,
            (Kind::Echo, true) => Protocol::ICMPV4,
            (Kind::Echo, false) => Protocol::ICMPV6,
        };
        let socket =
            socket2::Socket::new(if v4 { Domain::IPV4 } else { Domain::IPV6 }, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        let any: IpAddr = if v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        if kind == Kind::Udp && !v4 {
            socket.set_only_v6(true)?;
        }
        socket.bind(&SocketAddr::new(any, 0).into())?;
        errors::want(&socket, v4)?;
        let mut inner = UdpSocket::from_std(socket.into());
        registry.register(&mut inner, token, Interest::READABLE)?;
        Ok(Self { kind, v4, inner })
    }

    /// An answer to an earlier datagram that was refused is in the way of the next one, once.
    pub fn send(&self, remote: SocketAddr, payload: &[u8]) -> io::Result<()> {
        match self.try_send(remote, payload) {
            Err(error) if is_about_an_earlier_one(&error) => self.try_send(remote, payload),
            other => other,
        }
    }

    /// The next datagram, and who sent it; of an echo without its head.
    pub fn receive<'s>(&self, space: &'s mut [u8]) -> Option<(SocketAddr, &'s [u8])> {
        let (length, from) = loop {
            match self.inner.recv_from(space) {
                Ok(received) => break received,
                Err(error) if error.kind() == ErrorKind::Interrupted || is_about_an_earlier_one(&error) => {}
                Err(_) => return None,
            }
        };
        let datagram = &space[..length];
        match self.kind {
            Kind::Udp => Some((from, datagram)),
            Kind::Echo => {
                let (_, answer) = self.types();
                let said = datagram.get(ECHO_HEAD..).filter(|_| datagram[0] == answer)?;
                Some((SocketAddr::new(from.ip(), sequence(datagram)), said))
            }
        }
    }

    /// What did not arrive, and why.
    pub fn errors(&self) -> Vec<(SocketAddr, Undelivered)> {
        let told = errors::take(&self.inner);
        let of = |(remote, error, sent): (SocketAddr, io::Error, Vec<u8>)| {
            let port = if self.kind == Kind::Echo { sequence(&sent) } else { remote.port() };
            Some((SocketAddr::new(remote.ip(), port), undelivered(&error)?))
        };
        told.into_iter().filter_map(of).collect()
    }

    pub fn watch_again(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.reregister(&mut self.inner, token, Interest::READABLE)
    }

    fn try_send(&self, remote: SocketAddr, payload: &[u8]) -> io::Result<()> {
        if self.kind == Kind::Udp {
            return self.inner.send_to(payload, remote).map(drop);
        }
        let [high, low] = remote.port().to_be_bytes();
        let head = [self.types().0, 0, 0, 0, 0, 0, high, low];
        self.inner.send_to(&[&head, payload].concat(), SocketAddr::new(remote.ip(), 0)).map(drop)
    }

    fn types(&self) -> (u8, u8) {
        if self.v4 { ECHO_V4 } else { ECHO_V6 }
    }
}

fn sequence(echo: &[u8]) -> u16 {
    echo.get(6..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// What ICMP said about a datagram before; the next call works.
fn is_about_an_earlier_one(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::EHOSTDOWN | Errno::EPROTO))
}

/// What the client can be told; None where a datagram is simply lost, as they may be.
pub fn undelivered(error: &io::Error) -> Option<Undelivered> {
    match Errno::from_raw(error.raw_os_error()?) {
        Errno::ECONNREFUSED => Some(Undelivered::Refused),
        Errno::EHOSTUNREACH
        | Errno::EHOSTDOWN
        | Errno::ENETUNREACH
        | Errno::ENETDOWN
        | Errno::EAFNOSUPPORT => Some(Undelivered::Unreachable),
        Errno::EACCES | Errno::EPERM | Errno::EPROTONOSUPPORT => Some(Undelivered::Prohibited),
        _ => None,
    }
}
