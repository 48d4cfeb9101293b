//! One running helper, and the thread that talks to it: questions are asked one after the other, and each is heard to
//! its end even when nobody wants the answer any more. Else a late answer would be taken for the next one's.

use std::{
    io,
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::Stdio,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use ropeway_helper_api::{EPOCH, Message, REVISION, Reply, Request, wire};
use tokio::{
    process::{Child, Command},
    sync::{oneshot, watch},
    time::timeout,
};

use super::{SUBJECT, failure, missing};
use crate::{
    api::{Code, Failure},
    ssh::environment,
};

/// The helper answers within milliseconds (a plan of 50 000 networks takes 0.8 s); longer means that it hangs.
const ANSWER: Duration = Duration::from_secs(20);

/// Before the first answer a person may have to type the administrator's password.
const CONSENT: Duration = Duration::from_mins(2);

/// How long a helper may take to undo its rules after we have hung up.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running helper; clones are the same one. With the last of them we hang up.
#[derive(Clone)]
pub struct Line {
    inner: Arc<Inner>,
}

struct Inner {
    questions: mpsc::Sender<Question>,
    socket: Arc<UnixStream>,
    gone: watch::Receiver<bool>,
    /// Dropped with us: then the program is given up.
    _wanted: oneshot::Sender<()>,
}

struct Question {
    request: Request,
    fd: Option<OwnedFd>,
    answer: oneshot::Sender<io::Result<Reply>>,
}

/// Starts the program and greets it.
pub async fn start(program: &Path) -> Result<Line, Failure> {
    let line = spawn(program).map_err(|error| missing(format!("{}: {error}", program.display())))?;
    match line.ask(hello(), None).await {
        Ok(Reply::Hello { epoch: EPOCH, .. }) => Ok(line),
        Ok(Reply::Hello { epoch, revision, .. }) => Err(Failure::new(
            Code::HelperOld,
            SUBJECT,
            format!("helper {epoch}.{revision}, app {EPOCH}.{REVISION}"),
        )),
        Ok(Reply::Error(error)) => Err(failure(&error)),
        Ok(_) => Err(missing("no greeting")),
        Err(error) => Err(missing(error.to_string())),
    }
}

impl Line {
    pub async fn ask(&self, request: Request, fd: Option<OwnedFd>) -> io::Result<Reply> {
        let (answer, heard) = oneshot::channel();
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.inner.questions.send(Question { request, fd, answer }).map_err(|_| gone())?;
        heard.await.map_err(|_| gone())?
    }

    pub fn is_alive(&self) -> bool {
        !*self.inner.gone.borrow()
    }

    /// Whether this is the same helper.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The helper hears that we are done, whoever else still holds the line.
    pub fn hang_up(&self) {
        let _ = self.inner.socket.shutdown(Shutdown::Both);
    }

    /// Becomes true when the program has ended.
    pub fn gone(&self) -> watch::Receiver<bool> {
        self.inner.gone.clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // wakes the thread, too
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn spawn(program: &Path) -> io::Result<Line> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(CONSENT))?;
    ours.set_write_timeout(Some(ANSWER))?;
    let child = command(program).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
    let ((tell, gone), (wanted, unwanted)) = (watch::channel(false), oneshot::channel());
    tokio::spawn(accompany(child, unwanted, tell));
    let (questions, asked) = mpsc::channel();
    let socket = Arc::new(ours);
    let talking = socket.clone();
    thread::Builder::new().name("helper-line".into()).spawn(move || talk(&talking, &asked))?;
    Ok(Line { inner: Arc::new(Inner { questions, socket, gone, _wanted: wanted }) })
}

/// Until we hang up, or the first question that was not answered.
fn talk(socket: &UnixStream, asked: &mpsc::Receiver<Question>) {
    for Question { request, fd, answer } in asked {
        let reply = exchange(socket, &request, fd);
        let failed = reply.is_err();
        let _ = answer.send(reply);
        let _ = socket.set_read_timeout(Some(ANSWER));
        if failed {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn exchange(socket: &UnixStream, request: &Request, fd: Option<OwnedFd>) -> io::Result<Reply> {
    wire::send(socket, request, fd.as_ref().map(AsFd::as_fd).as_slice())?;
    // the helper has its own copy now
    drop(fd);
    loop {
        match wire::receive(socket)?.map(|received| received.message) {
            Some(Message::Reply { reply }) => return Ok(reply),
            Some(Message::Notice { .. }) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn hello() -> Request {
    Request::Hello { epoch: EPOCH, revision: REVISION, version: env!("CARGO_PKG_VERSION").into() }
}

/// Root starts it as it is; everybody else asks polkit, which asks the administrator.
fn command(program: &Path) -> Command {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut pkexec = Command::new("pkexec");
        pkexec.arg("--disable-internal-agent").arg(program);
        pkexec
    };
    command.env_clear().envs(environment::cleaned(std::env::vars_os())).process_group(0);
    command
}

/// Until the program has ended. When nobody wants it any more it has heard that we hung up; a question to the
/// administrator hears nothing, and is ended.
async fn accompany(mut child: Child, unwanted: oneshot::Receiver<()>, tell: watch::Sender<bool>) {
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        _ = unwanted => timeout(FAREWELL, child.wait()).await.ok(),
    };
    if ended.is_none() {
        // once polkit has made it root this is not ours to do, and it ends by itself
        let _ = child.start_kill();
        let _ = child.wait().await;
    }
    tracing::debug!(?ended, "the helper has ended");
    tell.send_replace(true);
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;

    /// A program in place of the helper; as root it is started as it is.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("helper");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_no_helper() {
        let folder = tempfile::tempdir().unwrap();
        let failure = start(&program(folder.path(), "exit 1")).await.err().unwrap();
        assert_eq!(failure.code, Code::HelperMissing);
        let failure = start(&folder.path().join("nothing")).await.err().unwrap();
        assert_eq!(failure.code, Code::HelperMissing);
    }

    /// A caller that goes away in the middle of a question must not make the next one hear its answer.
    #[test]
    fn an_abandoned_question_is_heard_to_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (questions, asked) = mpsc::channel();
        let ask = |request| {
            let (answer, heard) = oneshot::channel();
            questions.send(Question { request, fd: None, answer }).unwrap();
            heard
        };
        let unload = |session| Request::Unload { session: ropeway_helper_api::SessionId(session) };
        drop(ask(unload(1)));
        let second = ask(hello());
        thread::spawn(move || talk(&ours, &asked));
        let expected = [Reply::Done, Reply::Leftovers { mine: 1, others: 0 }];
        for reply in &expected {
            assert!(wire::receive::<Request>(&theirs).unwrap().is_some());
            wire::send(&theirs, &Message::Reply { reply: reply.clone() }, &[]).unwrap();
        }
        assert_eq!(second.blocking_recv().unwrap().unwrap(), expected[1]);
    }

    #[test]
    fn after_a_broken_answer_nothing_more_is_asked() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (questions, asked) = mpsc::channel();
        let (answer, heard) = oneshot::channel();
        questions.send(Question { request: Request::MarkSocket, fd: None, answer }).unwrap();
        drop(theirs);
        talk(&ours, &asked);
        assert!(heard.blocking_recv().unwrap().is_err());
        drop(asked);
        let (answer, _heard) = oneshot::channel();
        assert!(questions.send(Question { request: Request::MarkSocket, fd: None, answer }).is_err());
    }
}
