//! Ends by SIGTERM in order, and survives what is not meant for it.

use std::{io, thread};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// SIGTERM blocked in all threads; one of them is to wait for it.
pub struct Term(SigSet);

/// SIGINT and SIGHUP come from the terminal of the client, who ends in order and closes the connection itself. Call it
/// before any other thread.
pub fn install() -> io::Result<Term> {
    for ignored in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        // SAFETY: no handler is installed, so no code of ours runs in a signal context
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    let mut term = SigSet::empty();
    term.add(Signal::SIGTERM);
    term.thread_block()?; // inherited by all threads, so only the one that waits takes it
    Ok(Term(term))
}

impl Term {
    /// Does it, on a thread of its own, when SIGTERM comes.
    pub fn then(self, end: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let wait = move || {
            if self.0.wait().is_ok() {
                tracing::info!("asked to end");
                end();
            }
        };
        thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
    }
}
