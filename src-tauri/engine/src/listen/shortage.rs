//! Connections that fail because no file may be opened any more, on this computer or on the server: told once in a
//! while, with what is short and how to have more of it, and not once for each of a thousand.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::errno::Errno;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    api::{Code, Failure},
    sys::descriptors,
};

/// The same is not told again for so long: who changes nothing knows it by then.
const QUIET: Duration = Duration::from_mins(10);

/// Of one tunnel.
pub struct Shortages {
    server: String,
    tell: UnboundedSender<Failure>,
    here: Rarely,
    there: Rarely,
}

impl Shortages {
    pub fn new(server: String, tell: UnboundedSender<Failure>) -> Self {
        Self { server, tell, here: Rarely::default(), there: Rarely::default() }
    }

    /// A connection could not be accepted.
    pub fn here(&self, error: &io::Error) {
        if error.raw_os_error().is_some_and(is_shortage) && self.here.may(Instant::now()) {
            self.say("this computer", of_this_computer(error, descriptors::limit()));
        }
    }

    /// The agent could not make a connection.
    pub fn there(&self) {
        if self.there.may(Instant::now()) {
            self.say(&self.server, OF_THE_SERVER.into());
        }
    }

    fn say(&self, subject: &str, detail: String) {
        tracing::warn!(subject, detail, "connections wait or fail");
        // the tunnel is ending: nobody needs to know
        let _ = self.tell.send(Failure::new(Code::TooManyOpen, subject, detail));
    }
}

fn is_shortage(code: i32) -> bool {
    matches!(Errno::from_raw(code), Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
}

fn of_this_computer(error: &io::Error, limit: Option<u64>) -> String {
    match (error.raw_os_error().map(Errno::from_raw), limit) {
        (Some(Errno::EMFILE), Some(limit)) => format!(
            "Ropeway may have {limit} files open, and every connection is one. More are allowed by \u{201c}nofile\u{201d} in \
             /etc/security/limits.conf, or by LimitNOFILE= where Ropeway is a service."
        ),
        _ => error.to_string(),
    }
}

const OF_THE_SERVER: &str = "The agent may have no more files open there, and every connection is one; or ports or \
                             memory have run out. More files are allowed by \u{201c}nofile\u{201d} in the server's \
                             /etc/security/limits.conf, or by LimitNOFILE= of its ssh service.";

/// When it was told last.
#[derive(Default)]
struct Rarely(Mutex<Option<Instant>>);

impl Rarely {
    fn may(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET);
        if may {
            *last = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn of_many_that_fail_one_is_told_for_each_side() {
        let (tell, mut told) = unbounded_channel();
        let shortages = Shortages::new("bastion".into(), tell);
        for _ in 0..1000 {
            shortages.here(&Errno::EMFILE.into());
            shortages.there();
        }
        let (here, there) = (told.try_recv().unwrap(), told.try_recv().unwrap());
        assert_eq!(here.title, "Too many connections for this computer.");
        assert!(here.detail.contains(&descriptors::limit().unwrap().to_string()), "{}", here.detail);
        assert_eq!(there.title, "Too many connections for bastion.");
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_client_that_changed_its_mind_is_no_shortage() {
        let (tell, mut told) = unbounded_channel();
        Shortages::new("bastion".into(), tell).here(&Errno::ECONNABORTED.into());
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn it_is_told_again_when_it_lasts() {
        let (rarely, start) = (Rarely::default(), Instant::now());
        assert!(rarely.may(start));
        assert!(!rarely.may(start + QUIET / 2));
        assert!(rarely.may(start + QUIET));
        assert!(!rarely.may(start + QUIET + QUIET / 2));
    }
}
