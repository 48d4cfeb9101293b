//! What ICMP says about datagrams of a socket without a peer: Linux keeps it in a queue, with whom it is about.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
};

use mio::net::UdpSocket;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

/// Bytes of the datagram that did not arrive: the head of an echo is among them.
const BEGINNING: usize = 64;

/// Errors of one look. More are told with the next.
const MOST: usize = 64;

/// From now on the kernel keeps them.
pub fn want(socket: &impl AsFd, v4: bool) -> io::Result<()> {
    let set = if v4 {
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true)
    } else {
        setsockopt(&socket, sockopt::Ipv6RecvErr, &true)
    };
    Ok(set?)
}

/// Whom it was sent to, why it did not arrive, and how it began.
type Told = (SocketAddr, io::Error, Vec<u8>);

/// What was kept.
pub fn take(socket: &UdpSocket) -> Vec<Told> {
    // one that says nothing is passed over
    std::iter::from_fn(|| next(socket)).take(MOST).filter_map(Result::ok).collect()
}

/// None when there is none, an error for one that says nothing.
fn next(socket: &UdpSocket) -> Option<Result<Told, io::ErrorKind>> {
    let mut beginning = [0; BEGINNING];
    let mut control = nix::cmsg_space!(nix::libc::sock_extended_err, nix::libc::sockaddr_in6);
    let mut parts = [IoSliceMut::new(&mut beginning)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
    let number = got.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            Some(error.ee_errno)
        }
        _ => None,
    });
    let (remote, length) = (got.address.and_then(address), got.bytes);
    let Some((remote, number)) = remote.zip(number) else { return Some(Err(io::ErrorKind::InvalidData)) };
    let beginning = beginning[..length.min(BEGINNING)].to_vec();
    Some(Ok((remote, io::Error::from_raw_os_error(number as i32), beginning)))
}

fn address(storage: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|it| SocketAddr::from((it.ip(), it.port())));
    v4.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::from((it.ip(), it.port()))))
}
