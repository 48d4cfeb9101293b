//! The engine's line to the privileged helper: one helper for all tunnels of this engine, started when it is
//! first needed, gone when the engine is (EOF). [`line`] is one running helper; here is what tunnels ask of it.

mod line;

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use ropeway_helper_api::{HelperCode, HelperError, Plan, Reply, Request, SessionId};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{Mutex, watch},
    time::timeout,
};

use self::line::Line;
use crate::api::{Code, Failure};

/// Who the helper's failures are about.
const SUBJECT: &str = "this computer";

/// Removing rules takes milliseconds. A helper that needs longer hangs: hanging up makes it, or the kernel, remove them.
const UNLOAD: Duration = Duration::from_secs(2);

/// What the kernel allows a connection attempt by default; nothing waits for it but its own program.
const CONNECT: Duration = Duration::from_mins(2);

/// Made once for an engine.
pub struct Helper {
    program: PathBuf,
    /// Held for long only while a helper is started.
    line: Mutex<Option<Line>>,
}

/// Resolves when the helper that holds the rules has ended.
pub struct Gone(watch::Receiver<bool>);

impl Helper {
    pub fn new(program: PathBuf) -> Self {
        Self { program, line: Mutex::new(None) }
    }

    /// Installs or replaces a session's rules.
    pub async fn load(
        &self,
        session: SessionId,
        plan: Plan,
        direct: Option<OwnedFd>,
    ) -> Result<Gone, Failure> {
        let line = self.started().await?;
        done(line.ask(Request::Load { session, plan }, direct).await)?;
        Ok(Gone(line.gone()))
    }

    /// Removes them. A helper that is gone has removed them already.
    pub async fn unload(&self, session: SessionId) {
        let mut line = self.line.lock().await;
        let Some(running) = line.as_ref().filter(|line| line.is_alive()) else { return };
        let unloaded = timeout(UNLOAD, running.ask(Request::Unload { session }, None)).await;
        if !matches!(unloaded, Ok(Ok(Reply::Done))) {
            tracing::warn!(?unloaded, "the helper did not remove the rules: hanging up");
            *line = None;
        }
    }

    /// Ends the helper, and with it every rule.
    pub async fn end(&self) {
        let Some(line) = self.line.lock().await.take() else { return };
        let mut gone = line.gone();
        drop(line);
        let _ = timeout(UNLOAD, gone.wait_for(|gone| *gone)).await;
    }

    /// A connection that no rule captures.
    pub async fn connect_directly(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let copy = socket.as_fd().try_clone_to_owned()?;
        let line = self.line.lock().await.clone().ok_or(io::ErrorKind::NotConnected)?;
        done(line.ask(Request::MarkSocket, Some(copy)).await)
            .map_err(|failure| io::Error::other(failure.detail))?;
        timeout(CONNECT, socket.connect(target)).await?
    }

    async fn started(&self) -> Result<Line, Failure> {
        let mut line = self.line.lock().await;
        if let Some(running) = line.as_ref().filter(|line| line.is_alive()) {
            return Ok(running.clone());
        }
        let started = line::start(&self.program).await?;
        Ok(line.insert(started).clone())
    }
}

impl Gone {
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|gone| *gone).await;
    }
}

fn done(answer: io::Result<Reply>) -> Result<(), Failure> {
    match answer {
        Ok(Reply::Done | Reply::Hello { .. }) => Ok(()),
        Ok(Reply::Error(error)) => Err(failure(&error)),
        Err(error) => Err(Failure::new(Code::HelperGone, SUBJECT, error.to_string())),
    }
}

fn failure(error: &HelperError) -> Failure {
    let code = match error.code {
        HelperCode::Busy => Code::HelperBusy,
        HelperCode::Version => Code::HelperOld,
        HelperCode::Firewall => Code::Firewall,
        HelperCode::Malformed | HelperCode::Plan | HelperCode::Descriptor => Code::Internal,
    };
    Failure::new(code, SUBJECT, &error.detail)
}

fn missing(detail: impl Into<String>) -> Failure {
    Failure::new(Code::HelperMissing, SUBJECT, detail)
}
