//! One open line to a helper, however it was opened. Two threads: one writes questions, one reads whatever comes.
//! Answers go, in order, to whoever asked; each is heard also when nobody wants it any more, else a late answer would
//! be taken for the next one's. What the helper says unasked goes to all who listen. Its end is the line's end.

use std::{
    collections::VecDeque,
    io,
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use ropeway_helper_api::{EPOCH, Message, Notice, REVISION, Reply, Request, wire};
use tokio::{
    sync::{broadcast, oneshot, watch},
    time::timeout,
};

use super::failures;
use crate::api::Failure;

/// The helper answers within milliseconds (a plan of 50 000 networks takes 0.8 s); longer means that it hangs.
const ANSWER: Duration = Duration::from_secs(20);

/// Notices that a listener may be behind: they come one in a few seconds, and the last of them says it all.
const NOTICES: usize = 16;

/// An open line; clones are the same one. With the last of them we hang up.
#[derive(Clone)]
pub struct Line {
    inner: Arc<Inner>,
}

struct Inner {
    questions: mpsc::Sender<Question>,
    shared: Arc<Shared>,
    gone: watch::Receiver<bool>,
}

/// What both threads and all askers use.
struct Shared {
    socket: UnixStream,
    /// Who waits for an answer, in the order of the questions.
    waiting: Mutex<VecDeque<oneshot::Sender<Heard>>>,
    notices: broadcast::Sender<Notice>,
}

struct Question {
    request: Request,
    fds: Vec<OwnedFd>,
    answer: oneshot::Sender<Heard>,
}

/// An answer, and the descriptors that came with it.
type Heard = (Reply, Vec<OwnedFd>);

/// Begins to talk on a socket, and greets. `ended` is awaited after EOF: only then is the helper really gone.
pub async fn greet(
    socket: UnixStream,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<Line, Failure> {
    let line = Line::over(socket, ended).map_err(|error| failures::missing(error.to_string()))?;
    let hello =
        Request::Hello { epoch: EPOCH, revision: REVISION, version: env!("CARGO_PKG_VERSION").into() };
    match line.ask(hello, vec![]).await {
        Ok(Reply::Hello { epoch: EPOCH, revision, version, grant }) => {
            tracing::debug!(revision, version, ?grant, "talking to the helper");
            Ok(line)
        }
        Ok(Reply::Hello { epoch, revision, version, .. }) => {
            Err(failures::old(format!("helper {version} ({epoch}.{revision}), app {EPOCH}.{REVISION}")))
        }
        Ok(Reply::Error(error)) => Err(failures::of(&error)),
        Ok(_) => Err(failures::missing("no greeting")),
        Err(error) => Err(failures::missing(error.to_string())),
    }
}

impl Line {
    /// The helper gets the descriptors with the question, in their order.
    pub async fn ask(&self, request: Request, fds: Vec<OwnedFd>) -> io::Result<Reply> {
        self.ask_for(request, fds).await.map(|(reply, _)| reply)
    }

    /// The same, with the descriptors of the answer.
    pub async fn ask_for(&self, request: Request, fds: Vec<OwnedFd>) -> io::Result<Heard> {
        let (answer, heard) = oneshot::channel();
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.inner.questions.send(Question { request, fds, answer }).map_err(|_| gone())?;
        let Ok(reply) = timeout(ANSWER, heard).await else {
            self.inner.shared.cut();
            return Err(io::ErrorKind::TimedOut.into());
        };
        reply.map_err(|_| gone())
    }

    pub fn is_alive(&self) -> bool {
        !*self.inner.gone.borrow()
    }

    /// Whether this is the same line.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The helper hears that we are done, whoever else still holds the line, and undoes what it did for us; then it
    /// hangs up, too.
    pub fn hang_up(&self) {
        let _ = self.inner.shared.socket.shutdown(Shutdown::Write);
    }

    /// What is said unasked from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.inner.shared.notices.subscribe()
    }

    /// Becomes true when the helper has hung up.
    pub fn gone(&self) -> watch::Receiver<bool> {
        self.inner.gone.clone()
    }

    fn over(socket: UnixStream, ended: impl Future<Output = ()> + Send + 'static) -> io::Result<Self> {
        socket.set_write_timeout(Some(ANSWER))?;
        let shared =
            Arc::new(Shared { socket, waiting: Mutex::default(), notices: broadcast::channel(NOTICES).0 });
        let (questions, asked) = mpsc::channel();
        let (tell, gone) = watch::channel(false);
        let (hung_up, eof) = oneshot::channel();
        let (reader, writer) = (shared.clone(), shared.clone());
        thread::Builder::new().name("helper-asks".into()).spawn(move || writer.write(&asked))?;
        thread::Builder::new().name("helper-says".into()).spawn(move || {
            reader.read();
            let _ = hung_up.send(());
        })?;
        tokio::spawn(async move {
            let _ = eof.await;
            ended.await;
            tell.send_replace(true);
        });
        Ok(Self { inner: Arc::new(Inner { questions, shared, gone }) })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // wakes the reader, too
        self.shared.cut();
    }
}

impl Shared {
    /// Until nobody can ask any more, or the first question that cannot be sent.
    fn write(&self, asked: &mpsc::Receiver<Question>) {
        for Question { request, fds, answer } in asked {
            self.waiting().push_back(answer);
            let borrowed: Vec<BorrowedFd> = fds.iter().map(AsFd::as_fd).collect();
            if let Err(error) = wire::send(&self.socket, &request, &borrowed) {
                tracing::debug!(%error, "cannot ask the helper");
                break;
            }
        }
        self.cut();
    }

    /// Until the helper hangs up, or says what it should not.
    fn read(&self) {
        loop {
            let received = wire::receive(&self.socket);
            match received.map(|received| received.map(|received| (received.message, received.fds))) {
                Ok(Some((Message::Reply { reply }, fds))) => {
                    let Some(asker) = self.waiting().pop_front() else { break };
                    // who asked may have gone
                    let _ = asker.send((reply, fds));
                }
                Ok(Some((Message::Notice { notice }, _))) => {
                    tracing::info!(?notice, "the helper says");
                    // nobody may be listening
                    let _ = self.notices.send(notice);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "the line to the helper broke");
                    break;
                }
            }
        }
        self.cut();
    }

    /// Nothing more is said in either direction, and nobody waits for it.
    fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        self.waiting().clear();
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Heard>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
