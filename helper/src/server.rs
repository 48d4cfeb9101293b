//! Serves connections: reads messages, lets the [`Client`] answer, and undoes a client's rules when it is gone,
//! however it went.
//!
//! Every connection has a thread, so a slow peer delays only itself. What they share is behind one lock, which nobody
//! holds while a peer is read from or written to.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use ropeway_helper_api::{HelperCode, Message, Notice, Reply, limit, wire};

use crate::{
    client::{self, Answer, Client},
    line::{Line, Turn},
    rules::{ClientId, Firewall},
    state::{AllLost, State},
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
    /// Locked before `lines` where both are needed.
    state: Mutex<State<F>>,
    /// Rung when a request was answered or a client undone.
    changed: Condvar,
    lines: Mutex<Lines>,
    /// Rung when a connection has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Lines {
    /// Counted up, never used again.
    last: u64,
    ending: bool,
    open: Vec<Arc<Line>>,
}

impl<F: Firewall> Server<F> {
    pub fn new(state: State<F>) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            lines: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Until the connection ends, however it does; then nothing of this client is left.
    pub fn serve(&self, socket: UnixStream, uid: u32) -> Result<(), OpenError> {
        let line = self.admit(socket, uid)?;
        self.serve_admitted(&line);
        Ok(())
    }

    /// Not for long: all clients wait.
    pub fn state(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends this user's connections: what they have begun they may not do any more.
    pub fn end_user(&self, uid: u32) {
        self.lines().open.iter().filter(|line| line.uid == uid).for_each(|line| line.close());
    }

    /// Ends all connections, and lets nobody in any more. What was received is answered.
    pub fn end_all(&self) {
        let mut lines = self.lines();
        lines.ending = true;
        lines.open.iter().for_each(|line| line.end());
    }

    /// Whether nobody is let in any more.
    pub fn is_ending(&self) -> bool {
        self.lines().ending
    }

    /// Whether nobody was connected any more before `limit` was over.
    pub fn wait_until_nobody(&self, limit: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.lines(), limit, |lines| !lines.open.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// A newer program is in the place of this one. It cannot take over while this one has the table, so this blocks as
    /// long as somebody has something in force, or has only just come. After that nobody is let in any more, but who
    /// is here stays until [`Server::end_all`]: in between, callers can be sent to the newer one.
    pub fn make_way(&self) {
        self.lines().open.iter().for_each(|line| line.tell(Notice::Replaced));
        let mut state = self.state();
        loop {
            state = self
                .changed
                .wait_while(state, |state| !state.is_quiet())
                .unwrap_or_else(PoisonError::into_inner);
            let mut lines = self.lines();
            let Some(left) = lines.open.iter().filter_map(|line| line.settles_in()).max() else {
                lines.ending = true;
                return;
            };
            drop(lines);
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Blocks as long as there is nothing to look after.
    pub fn wait_until_something_is_in_force(&self) {
        drop(self.changed.wait_while(self.state(), |state| state.is_quiet()));
    }

    /// Mends what another program has changed, tells whom it concerns, and tries again what could not be undone.
    pub fn look_after(&self) {
        let mut state = self.state();
        for changed in state.rules.check() {
            let notice = Notice::RulesGone { mended: changed.mended };
            for line in self.lines().open.iter().filter(|line| changed.clients.contains(&line.client)) {
                if changed.mended { line.tell(notice) } else { line.tell_and_close(notice) }
            }
        }
        if state.undo_stuck().is_err() {
            self.end_without_rules();
        }
        self.changed.notify_all();
    }

    fn admit(&self, socket: UnixStream, uid: u32) -> Result<Arc<Line>, OpenError> {
        let mut lines = self.lines();
        if lines.ending {
            return Err(OpenError::Ending);
        }
        if lines.open.iter().filter(|line| line.uid == uid).count() >= limit::CONNECTIONS {
            return Err(OpenError::TooMany);
        }
        lines.last += 1;
        let turn = lines.turn_of(uid);
        let line = Arc::new(Line::new(ClientId(lines.last), uid, turn, socket)?);
        lines.open.push(Arc::clone(&line));
        Ok(line)
    }

    fn serve_admitted(&self, line: &Line) {
        tracing::info!(uid = line.uid, "a connection");
        match self.converse(line) {
            Ok(()) => tracing::info!(uid = line.uid, "the connection has ended"),
            Err(error) => tracing::warn!(uid = line.uid, %error, "the connection has failed"),
        }
        let undone = self.undo(line);
        if undone.is_err() {
            self.end_without_rules();
        }
        self.forget(line);
        self.changed.notify_all();
    }

    fn converse(&self, line: &Line) -> io::Result<()> {
        let mut client = Client::new(line.client, line.uid);
        loop {
            let Some(answer) = self.hear(line, &mut client)? else { return Ok(()) };
            log(&answer);
            let Answer { reply, close, lost } = answer;
            let greeting = matches!(reply, Reply::Hello { .. });
            let sent = line.send_with(&Message::Reply { reply }, client.given().as_ref().map(AsFd::as_fd));
            line.answered(greeting);
            if lost {
                self.end_without_rules();
            }
            self.changed.notify_all();
            sent?;
            if close {
                return Ok(());
            }
        }
    }

    /// None at the end. The message is gone before the answer is sent.
    fn hear(&self, line: &Line, client: &mut Client) -> io::Result<Option<Answer>> {
        let _turn = line.wait_turn()?;
        match line.receive() {
            Ok(received) => Ok(received.map(|message| client.answer(&self.state, message))),
            Err(error) => client::answer_to_garbage(&error).ok_or(error).map(Some),
        }
    }

    fn undo(&self, line: &Line) -> Result<(), AllLost> {
        let _turn = line.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.state().undo(line.client)
    }

    /// Nobody's rules are in force any more, and only the end of the connection says that to all.
    fn end_without_rules(&self) {
        let notice = Notice::RulesGone { mended: false };
        self.lines().open.iter().for_each(|line| line.tell_and_close(notice));
    }

    /// The peer hears the end only now, when nothing of it is left.
    fn forget(&self, line: &Line) {
        self.lines().open.retain(|other| other.client != line.client);
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
}

impl Lines {
    fn turn_of(&self, uid: u32) -> Turn {
        let same = self.open.iter().find(|line| line.uid == uid);
        same.map(|line| Arc::clone(&line.turn)).unwrap_or_default()
    }
}

fn log(answer: &Answer) {
    match &answer.reply {
        // who asks for what there is not may ask every few seconds
        Reply::Error(error) if error.code == HelperCode::Unsupported => {
            tracing::debug!(detail = error.detail, "refused");
        }
        Reply::Error(error) => tracing::warn!(code = ?error.code, detail = error.detail, "refused"),
        _ => {}
    }
}
