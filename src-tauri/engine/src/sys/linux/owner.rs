//! Whose a captured connection is: one exact question to the kernel's socket diagnostics, about 4 µs, unprivileged.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use nix::sys::{
    socket::{MsgFlags, recv, setsockopt, sockopt},
    time::TimeVal,
};

/// `SOCK_DIAG_BY_FAMILY` of the kernel's `sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` and `NLMSG_ERROR`, linux/netlink.h.
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
/// Seconds for an answer. The kernel queues it before `send` returns: one that is missing then will not come.
const ANSWER: i64 = 1;
/// Bytes of a netlink header, and of it with `inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = HEADER + mem::size_of::<Found>();

/// What the kernel knows of the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// 0 when the program has closed it already.
    pub inode: u32,
    pub uid: u32,
}

/// One netlink socket, kept open. Locked from a question to its answer: whoever reads gets what comes first.
#[derive(Debug)]
pub struct Diagnostics(Mutex<Line>);

#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    /// Number of the last question; the answer bears the same.
    asked: u32,
}

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
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER, 0))?;
        Ok(Self(Mutex::new(Line { socket, asked: 0 })))
    }

    /// The TCP socket at `local` that wanted to reach `remote` (before the redirect).
    pub fn tcp(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<Owner> {
        // a panic elsewhere leaves at most an answer behind that is skipped
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ask(local, remote)
    }
}

impl Line {
    fn ask(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<Owner> {
        self.asked = self.asked.wrapping_add(1);
        self.send(&question(local, remote, self.asked))?;
        let mut answer = [0u8; 512];
        loop {
            let got = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
            if sequence(&answer[..got]) == Some(self.asked) {
                return read(&answer[..got]);
            }
        }
    }

    fn send(&self, question: &Question) -> io::Result<()> {
        let bytes = mem::size_of::<Question>();
        // SAFETY: the question lives across the call and its length is passed with it
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), (&raw const *question).cast(), bytes, 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn question(local: SocketAddr, remote: SocketAddr, sequence: u32) -> Question {
    Question {
        length: mem::size_of::<Question>() as u32,
        kind: BY_FAMILY,
        flags: REQUEST,
        sequence,
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

/// Which question is answered.
fn sequence(answer: &[u8]) -> Option<u32> {
    answer.get(8..12)?.try_into().ok().map(u32::from_ne_bytes)
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
            Ok(Owner { inode: found.inode, uid: found.uid })
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
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
    use std::{
        net::{TcpListener, TcpStream},
        thread,
    };

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

    /// Every task of the engine asks the same socket.
    #[test]
    fn many_ask_at_once_and_each_gets_its_own_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let diagnostics = Diagnostics::open().unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let diagnostics = &diagnostics;
                scope.spawn(move || {
                    let inode = nix::sys::stat::fstat(&client).unwrap().st_ino;
                    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
                    for _ in 0..1000 {
                        assert_eq!(u64::from(diagnostics.tcp(local, remote).unwrap().inode), inode);
                    }
                });
            }
        });
    }

    #[test]
    fn a_connection_that_is_not_there_is_an_error() {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        assert!(Diagnostics::open().unwrap().tcp(nowhere, nowhere).is_err());
    }

    #[test]
    fn an_answer_that_nobody_waited_for_is_skipped() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (nowhere, there) = ("127.0.0.1:1".parse().unwrap(), listener.local_addr().unwrap());
        let client = TcpStream::connect(there).unwrap();
        let diagnostics = Diagnostics::open().unwrap();
        diagnostics.0.lock().unwrap().send(&question(nowhere, nowhere, 0)).unwrap();
        assert!(diagnostics.tcp(client.local_addr().unwrap(), there).is_ok());
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
