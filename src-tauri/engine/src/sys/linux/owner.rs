//! Whose a captured connection is: one exact question to the kernel's socket diagnostics, about 4 µs, unprivileged.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// `SOCK_DIAG_BY_FAMILY` of the kernel's `sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` and `NLMSG_ERROR`, linux/netlink.h.
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
/// `INET_DIAG_CGROUP_ID` of `inet_diag.h`: told to everybody.
const CGROUP_ID: u16 = 21;
/// Bytes of a netlink header, and of it with `inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = HEADER + mem::size_of::<Found>();

/// What the kernel knows of the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// 0 when the program has closed it already.
    pub inode: u32,
    pub uid: u32,
    /// Inode of the cgroup's folder, 0 where the kernel does not tell.
    pub cgroup: u64,
}

/// One netlink socket, kept open.
#[derive(Debug)]
pub struct Diagnostics(OwnedFd);

/// `inet_diag_sockid`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Id {
    source_port: [u8; 2],
    destination_port: [u8; 2],
    source: [u8; 16],
    destination: [u8; 16],
    interface: u32,
    cookie: [u32; 2],
}

/// `nlmsghdr` and `inet_diag_req_v2`.
#[repr(C)]
struct Question {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    protocol: u8,
    extensions: u8,
    pad: u8,
    states: u32,
    id: Id,
}

/// `inet_diag_msg`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Found {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: Id,
    expires: u32,
    receive_queue: u32,
    send_queue: u32,
    uid: u32,
    inode: u32,
}

impl Diagnostics {
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: plain system call; the result is checked before it is owned
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The TCP socket at `local` that wanted to reach `remote` (before the redirect).
    pub fn tcp(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<Owner> {
        let question = question(local, remote);
        let mut answer = [0u8; 512];
        // SAFETY: both buffers live across the calls and their lengths are passed with them
        let got = unsafe {
            let bytes = mem::size_of::<Question>();
            if libc::send(self.0.as_raw_fd(), (&raw const question).cast(), bytes, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::recv(self.0.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        read(&answer[..got])
    }
}

fn question(local: SocketAddr, remote: SocketAddr) -> Question {
    Question {
        length: mem::size_of::<Question>() as u32,
        kind: BY_FAMILY,
        flags: REQUEST,
        sequence: 1,
        port: 0,
        family: if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8,
        protocol: libc::IPPROTO_TCP as u8,
        extensions: 0,
        pad: 0,
        states: u32::MAX,
        id: Id {
            source_port: local.port().to_be_bytes(),
            destination_port: remote.port().to_be_bytes(),
            source: octets(local.ip()),
            destination: octets(remote.ip()),
            interface: 0,
            cookie: [u32::MAX; 2],
        },
    }
}

fn read(answer: &[u8]) -> io::Result<Owner> {
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match kind {
        Some(ERROR) if answer.len() >= 20 => {
            let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
            Err(io::Error::from_raw_os_error(-code))
        }
        Some(BY_FAMILY) if answer.len() >= MESSAGE => {
            // SAFETY: the length was checked, every bit pattern is a valid `Found`, and the read may be unaligned
            let found = unsafe { answer.as_ptr().add(HEADER).cast::<Found>().read_unaligned() };
            Ok(Owner { inode: found.inode, uid: found.uid, cgroup: cgroup(&answer[MESSAGE..]).unwrap_or(0) })
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn cgroup(mut attributes: &[u8]) -> Option<u64> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        if attributes.get(2..4)? == CGROUP_ID.to_ne_bytes() {
            return Some(u64::from_ne_bytes(attributes.get(4..12)?.try_into().ok()?));
        }
        attributes = attributes.get(length.next_multiple_of(4).max(4)..)?;
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&v4.octets());
            all
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_the_socket_of_a_real_connection() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(host).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let owner = Diagnostics::open()
                .unwrap()
                .tcp(client.local_addr().unwrap(), client.peer_addr().unwrap())
                .unwrap();
            assert_eq!(owner.uid, nix::unistd::getuid().as_raw());
            let link = std::fs::read_link(format!("/proc/self/fd/{}", client.as_raw_fd())).unwrap();
            assert_eq!(link.to_string_lossy(), format!("socket:[{}]", owner.inode));
        }
    }

    #[test]
    fn a_connection_that_is_not_there_is_an_error() {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        assert!(Diagnostics::open().unwrap().tcp(nowhere, nowhere).is_err());
    }

    #[test]
    fn short_answers_are_errors() {
        for length in 0..MESSAGE {
            let mut answer = vec![0; length];
            if length >= 6 {
                answer[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
            }
            assert!(read(&answer).is_err());
        }
    }
}
