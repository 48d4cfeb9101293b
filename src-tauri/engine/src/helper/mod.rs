//! The engine's line to the privileged helper: one helper for all tunnels of this engine, started when it is
//! first needed, gone when the engine is (EOF). [`line`] is one running helper; here is what tunnels ask of it.

mod line;

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ropeway_helper_api::{HelperCode, HelperError, Plan, Reply, Request, SessionId};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};

use self::line::Line;
use crate::api::{Code, Failure};

/// Who the helper's failures are about.
const SUBJECT: &str = "this computer";

/// How long a helper may take to end, with every rule, after we have hung up.
const END: Duration = Duration::from_secs(2);

/// What the kernel allows a connection attempt by default; nothing waits for it but its own program.
const CONNECT: Duration = Duration::from_mins(2);

/// Made once for an engine.
pub struct Helper {
    program: PathBuf,
    line: Mutex<Option<Line>>,
    /// Held while a helper is started, which may wait for a person. Who only talks to one does not wait for that.
    starting: tokio::sync::Mutex<()>,
}

/// Resolves when the helper that holds the rules has ended.
pub struct Gone(watch::Receiver<bool>);

impl Helper {
    pub fn new(program: PathBuf) -> Self {
        Self { program, line: Mutex::default(), starting: tokio::sync::Mutex::default() }
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
        let Some(line) = self.line().clone().filter(Line::is_alive) else { return };
        let unloaded = line.ask(Request::Unload { session }, None).await;
        if !matches!(unloaded, Ok(Reply::Done)) {
            tracing::warn!(?unloaded, "the helper did not remove the rules: hanging up");
            let mut current = self.line();
            if current.as_ref().is_some_and(|current| current.is(&line)) {
                *current = None;
            }
        }
    }

    /// Ends the helper, and with it every rule.
    pub async fn end(&self) {
        let Some(line) = self.line().take() else { return };
        let mut gone = line.gone();
        line.hang_up();
        let _ = timeout(END, gone.wait_for(|gone| *gone)).await;
    }

    /// A connection that no rule captures.
    pub async fn connect_directly(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let copy = socket.as_fd().try_clone_to_owned()?;
        let line = self.line().clone().ok_or(io::ErrorKind::NotConnected)?;
        done(line.ask(Request::MarkSocket, Some(copy)).await)
            .map_err(|failure| io::Error::other(failure.detail))?;
        timeout(CONNECT, socket.connect(target)).await?
    }

    async fn started(&self) -> Result<Line, Failure> {
        let _one_at_a_time = self.starting.lock().await;
        if let Some(running) = self.line().clone().filter(Line::is_alive) {
            return Ok(running);
        }
        let started = line::start(&self.program).await?;
        *self.line() = Some(started.clone());
        Ok(started)
    }

    fn line(&self) -> MutexGuard<'_, Option<Line>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gone {
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|gone| *gone).await;
    }
}

fn done(answer: io::Result<Reply>) -> Result<(), Failure> {
    match answer {
        Ok(Reply::Error(error)) => Err(failure(&error)),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::new(Code::HelperGone, SUBJECT, error.to_string())),
    }
}

fn failure(error: &HelperError) -> Failure {
    let code = match error.code {
        HelperCode::Busy => Code::HelperBusy,
        HelperCode::Version => Code::HelperOld,
        HelperCode::Firewall => Code::Firewall,
        HelperCode::Unsupported => Code::Unsupported,
        HelperCode::NotGranted => Code::NotGranted,
        HelperCode::Hosts => Code::Hosts,
        HelperCode::Limit => Code::Resources,
        HelperCode::Malformed | HelperCode::Plan | HelperCode::Descriptor => Code::Internal,
    };
    Failure::new(code, SUBJECT, &error.detail)
}

fn missing(detail: impl Into<String>) -> Failure {
    Failure::new(Code::HelperMissing, SUBJECT, detail)
}
