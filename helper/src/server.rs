//! Serves connections: reads messages, lets the [`Client`] answer, and undoes a client's rules when it is gone,
//! however it went.
//!
//! Every connection has a thread, so a slow peer delays only itself. What they share is behind one lock, which nobody
//! holds while a peer is read from or written to.

use std::{
    collections::BTreeMap,
    io,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use ropeway_helper_api::{Message, Notice, Reply, limit, wire};

use crate::{
    client::{self, Answer, Client},
    line::Line,
    rules::{ClientId, Firewall},
    state::State,
};

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} connections of this user already", limit::CONNECTIONS)]
    TooMany,
    #[error("the helper is about to end")]
    Ending,
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub struct Server<F> {
    state: Mutex<State<F>>,
    lines: Mutex<Lines>,
    /// Rung when a connection has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Lines {
    /// Counted up, never used again.
    last: u64,
    ending: bool,
    open: BTreeMap<u64, Arc<Line>>,
}

impl<F: Firewall> Server<F> {
    pub fn new(state: State<F>) -> Self {
        Self { state: Mutex::new(state), lines: Mutex::default(), ended: Condvar::new() }
    }

    /// Until the connection ends, however it does; then nothing of this client is left.
    pub fn serve(&self, socket: UnixStream, uid: u32) -> Result<(), OpenError> {
        let line = self.admit(socket, uid)?;
        self.serve_admitted(&line);
        Ok(())
    }

    /// What only this lock may see and change. Not for long: all clients wait.
    pub fn state(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends this user's connections, because they may not do any more what they may have begun.
    pub fn end_user(&self, uid: u32) {
        self.lines().open.values().filter(|line| line.uid == uid).for_each(|line| line.close());
    }

    /// Ends all connections, and lets nobody in any more.
    pub fn end_all(&self) {
        let mut lines = self.lines();
        lines.ending = true;
        lines.open.values().for_each(|line| line.close());
    }

    /// Whether nobody was connected any more before `limit` was over.
    pub fn wait_until_nobody(&self, limit: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.lines(), limit, |lines| !lines.open.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn admit(&self, socket: UnixStream, uid: u32) -> Result<Arc<Line>, OpenError> {
        let mut lines = self.lines();
        if lines.ending {
            return Err(OpenError::Ending);
        }
        if lines.open.values().filter(|line| line.uid == uid).count() >= limit::CONNECTIONS {
            return Err(OpenError::TooMany);
        }
        lines.last += 1;
        let line = Arc::new(Line::new(ClientId(lines.last), uid, socket)?);
        let number = lines.last;
        lines.open.insert(number, Arc::clone(&line));
        Ok(line)
    }

    fn serve_admitted(&self, line: &Line) {
        tracing::info!(uid = line.uid, "a connection");
        match self.converse(line) {
            Ok(()) => tracing::info!(uid = line.uid, "the connection has ended"),
            Err(error) => tracing::warn!(uid = line.uid, %error, "the connection has failed"),
        }
        self.state().undo(line.client);
        self.forget(line);
    }

    fn converse(&self, line: &Line) -> io::Result<()> {
        let mut client = Client::new(line.client, line.uid);
        loop {
            let answer = match line.receive() {
                Ok(Some(message)) => client.answer(&self.state, message),
                Ok(None) => return Ok(()),
                Err(error) => client::answer_to_garbage(&error).ok_or(error)?,
            };
            log(&answer);
            let close = answer.close;
            line.send(&Message::Reply { reply: answer.reply })?;
            if close {
                return Ok(());
            }
        }
    }

    /// The peer hears the end only now, when nothing of it is left.
    fn forget(&self, line: &Line) {
        self.lines().open.remove(&line.client.0);
        line.close();
        self.ended.notify_all();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Firewall + Send + 'static> Server<F> {
    /// Serves the connection on a thread of its own, and drops `keep` after its end. Nothing may have been sent on it
    /// yet: from here on the kernel says of every byte who sent it, and only `uid` and root may.
    pub fn open(
        self: &Arc<Self>,
        socket: UnixStream,
        uid: u32,
        keep: impl Send + 'static,
    ) -> Result<(), OpenError> {
        wire::tell_senders(&socket)?;
        let line = self.admit(socket, uid)?;
        let (server, served) = (Arc::clone(self), Arc::clone(&line));
        let thread = thread::Builder::new().name("client".into()).spawn(move || {
            server.serve_admitted(&served);
            drop(keep);
        });
        if let Err(error) = thread {
            self.forget(&line);
            return Err(error.into());
        }
        Ok(())
    }

    /// Tells everybody.
    pub fn tell_all(&self, notice: Notice) {
        self.lines().open.values().for_each(|line| tell(line, notice));
    }
}

/// On a thread of its own: a peer that does not read would hold up everybody behind it.
fn tell(line: &Arc<Line>, notice: Notice) {
    let told = Arc::clone(line);
    let thread = thread::Builder::new().name("notice".into()).spawn(move || {
        let _ = told.send(&Message::Notice { notice }); // closes it
    });
    if let Err(error) = thread {
        tracing::error!(%error, "a notice could not be sent");
        line.close();
    }
}

fn log(answer: &Answer) {
    if let Reply::Error(error) = &answer.reply {
        tracing::warn!(code = ?error.code, detail = error.detail, "refused");
    }
}
