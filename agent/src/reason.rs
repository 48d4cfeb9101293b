//! What the server's kernel said about a connection, as the mux says it to the client. Pure.

use std::io;

use nix::errno::Errno;
use ropeway_mux::Reason;

/// The reason that carries `error` to the user's program.
pub fn of(error: &io::Error) -> Reason {
    error.raw_os_error().map_or(Reason::Failed, |code| of_errno(Errno::from_raw(code)))
}

fn of_errno(errno: Errno) -> Reason {
    match errno {
        Errno::ECONNREFUSED => Reason::Refused,
        Errno::EHOSTUNREACH | Errno::EHOSTDOWN => Reason::HostUnreachable,
        // A server without IPv6 has no such family at all: to the user that is a network it cannot reach.
        Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EAFNOSUPPORT => Reason::NetworkUnreachable,
        Errno::ETIMEDOUT => Reason::TimedOut,
        Errno::EACCES | Errno::EPERM => Reason::Prohibited,
        // ENOSPC: the account's epoll watches are used up.
        Errno::EMFILE
        | Errno::ENFILE
        | Errno::EADDRNOTAVAIL
        | Errno::ENOBUFS
        | Errno::ENOMEM
        | Errno::ENOSPC => Reason::Exhausted,
        Errno::ECONNRESET | Errno::ECONNABORTED | Errno::EPIPE => Reason::Reset,
        _ => Reason::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_of_connect_has_its_reason() {
        let table = [
            (Errno::ECONNREFUSED, Reason::Refused),
            (Errno::EHOSTUNREACH, Reason::HostUnreachable),
            (Errno::ENETUNREACH, Reason::NetworkUnreachable),
            (Errno::EAFNOSUPPORT, Reason::NetworkUnreachable),
            (Errno::ETIMEDOUT, Reason::TimedOut),
            (Errno::EACCES, Reason::Prohibited),
            (Errno::EPERM, Reason::Prohibited),
            (Errno::EMFILE, Reason::Exhausted),
            (Errno::ENFILE, Reason::Exhausted),
            (Errno::EADDRNOTAVAIL, Reason::Exhausted),
            (Errno::ENOBUFS, Reason::Exhausted),
            (Errno::ENOMEM, Reason::Exhausted),
            (Errno::ECONNRESET, Reason::Reset),
            (Errno::EPIPE, Reason::Reset),
            (Errno::EINVAL, Reason::Failed),
        ];
        for (errno, reason) in table {
            assert_eq!(of(&errno.into()), reason, "{errno}");
        }
    }

    #[test]
    fn an_error_without_a_number_is_a_plain_failure() {
        assert_eq!(of(&io::Error::other("no errno")), Reason::Failed);
    }
}
