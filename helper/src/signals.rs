//! Ends by SIGTERM in order, and survives what is not meant for it.

use std::{io, net::Shutdown, os::unix::net::UnixStream, thread};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// SIGTERM shuts the connection, so the server sees its end and undoes everything. SIGINT and SIGHUP come from
/// the terminal of the client, who ends in order and closes the connection itself. Call it before any other thread.
pub fn install(connection: &UnixStream) -> io::Result<()> {
    for ignored in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        // SAFETY: no handler is installed, so no code of ours runs in a signal context
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    let mut term = SigSet::empty();
    term.add(Signal::SIGTERM);
    term.thread_block()?; // inherited by all threads, so only the one that waits takes it
    let connection = connection.try_clone()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        if term.wait().is_ok() {
            tracing::info!("asked to end");
            let _ = connection.shutdown(Shutdown::Both);
        }
    })?;
    Ok(())
}
