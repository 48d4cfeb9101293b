//! What the process was started with: its connection and its privilege.

use std::{
    cmp::Ordering,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::sys::{
    resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit},
    socket::{getsockopt, sockopt::PeerCredentials},
};
use socket2::{Domain, SockRef, Type};

/// Why the helper cannot serve anybody.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "standard input is not a connected Unix stream socket: the app starts this program, not a person"
    )]
    NoConnection,
    #[error("needs CAP_NET_ADMIN: the system bus starts it as root")]
    NoPrivilege,
    #[error("cannot look at its own process: {0}")]
    Io(#[from] io::Error),
}

/// The connection on standard input, and the user at its other end.
pub fn connection() -> Result<(UnixStream, u32), StartError> {
    let connection = unix_stream(io::stdin().as_fd().try_clone_to_owned()?)?;
    let peer = getsockopt(&connection, PeerCredentials).map_err(io::Error::from)?;
    Ok((connection, peer.uid()))
}

/// As many open files as the process may have at all: what all clients hand over, and the helper's own. Under systemd
/// the unit has seen to it, and its filter of system calls need not let us ask.
pub fn raise_file_limit() {
    let raised = getrlimit(RLIMIT_NOFILE).and_then(|(soft, hard)| match soft.cmp(&hard) {
        Ordering::Less => setrlimit(RLIMIT_NOFILE, hard, hard),
        _ => Ok(()),
    });
    if let Err(error) = raised {
        tracing::info!(%error, "the limit of open files stays");
    }
}

/// Whether the process may do what it is for.
pub fn check_privilege() -> Result<(), StartError> {
    if may_administer_network()? { Ok(()) } else { Err(StartError::NoPrivilege) }
}

fn unix_stream(fd: OwnedFd) -> Result<UnixStream, StartError> {
    let socket = SockRef::from(&fd);
    let is_unix_stream = socket.domain().is_ok_and(|domain| domain == Domain::UNIX)
        && socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
        && socket.peer_addr().is_ok();
    if is_unix_stream { Ok(fd.into()) } else { Err(StartError::NoConnection) }
}

/// `CAP_NET_ADMIN` is capability 12 (linux/capability.h).
fn may_administer_network() -> io::Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    Ok(effective.is_some_and(|bits| bits & (1 << 12) != 0))
}
