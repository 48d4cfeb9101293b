//! Which machine and network this process is on, in the words of the bootstrap.

use std::{fs, os::unix::net::UnixStream};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Boot id and network namespace; two programs with both equal share one kernel and one set of rules.
pub fn of_this_process() -> Option<(String, String)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/net").ok()?;
    Some((boot.trim().to_owned(), namespace.to_string_lossy().into_owned()))
}

/// Whether the program at the other end of the socket is in our network namespace; true also where we may not know.
pub fn shares_network(socket: &UnixStream) -> bool {
    let theirs = getsockopt(socket, PeerCredentials)
        .ok()
        .and_then(|peer| fs::read_link(format!("/proc/{}/ns/net", peer.pid())).ok());
    theirs.is_none_or(|theirs| fs::read_link("/proc/self/ns/net").is_ok_and(|ours| ours == theirs))
}
