//! The engine's line to the privileged helper: one helper for all tunnels of this engine, started when it is
//! first needed, gone when the engine is (EOF).

use std::{
    io,
    net::SocketAddr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use ropeway_helper_api::{EPOCH, HelperCode, HelperError, Plan, REVISION, Reply, Request, SessionId, wire};
use tokio::{
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
    sync::{Mutex, watch},
    task::spawn_blocking,
};

use crate::{
    api::{Code, Failure},
    ssh::environment,
};

/// Who the helper's failures are about.
const SUBJECT: &str = "this computer";

/// The helper answers within milliseconds (a plan of 50 000 networks takes 0.3 s); longer means that it hangs.
const ANSWER: Duration = Duration::from_secs(20);

/// Before the first answer a person may have to type the administrator's password.
const CONSENT: Duration = Duration::from_mins(2);

/// The line; made once for an engine.
pub struct Helper {
    program: PathBuf,
    line: Mutex<Option<Line>>,
}

/// Resolves when the helper that holds the rules has ended.
pub struct Gone(watch::Receiver<bool>);

/// A running helper.
struct Line {
    socket: Arc<UnixStream>,
    gone: watch::Receiver<bool>,
}

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
        let mut line = self.line.lock().await;
        let line = self.started(&mut line).await?;
        line.ask(Request::Load { session, plan }, direct).await?;
        Ok(Gone(line.gone.clone()))
    }

    /// Removes them. A helper that is gone has removed them already.
    pub async fn unload(&self, session: SessionId) {
        let line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| line.alive())
            && let Err(failure) = line.ask(Request::Unload { session }, None).await
        {
            tracing::warn!(?failure, "the helper did not remove the rules");
        }
    }

    /// Ends the helper, and with it every rule.
    pub async fn end(&self) {
        let Some(line) = self.line.lock().await.take() else { return };
        let _ = line.socket.shutdown(std::net::Shutdown::Both);
        let mut gone = line.gone.clone();
        let _ = tokio::time::timeout(ANSWER, gone.wait_for(|gone| *gone)).await;
    }

    /// A connection that no rule captures.
    pub async fn connect_directly(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        let copy = socket.as_fd().try_clone_to_owned()?;
        let line = self.line.lock().await;
        let line = line.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        line.ask(Request::MarkSocket, Some(copy))
            .await
            .map_err(|failure| io::Error::other(failure.detail))?;
        socket.connect(target).await
    }

    async fn started<'a>(&self, line: &'a mut Option<Line>) -> Result<&'a Line, Failure> {
        if !line.as_ref().is_some_and(Line::alive) {
            *line = Some(self.start().await?);
        }
        line.as_ref().ok_or_else(|| missing("the helper ended at once"))
    }

    async fn start(&self) -> Result<Line, Failure> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| missing(error.to_string()))?;
        ours.set_read_timeout(Some(CONSENT)).map_err(|error| missing(error.to_string()))?;
        let child = self.command().stdin(Stdio::from(OwnedFd::from(theirs))).spawn();
        let child = child.map_err(|error| missing(format!("{}: {error}", self.program.display())))?;
        let (tell, gone) = watch::channel(false);
        tokio::spawn(wait(child, tell));
        let line = Line { socket: Arc::new(ours), gone };
        line.hello().await?;
        Ok(line)
    }

    /// Root starts it as it is; everybody else asks polkit, which asks the administrator.
    fn command(&self) -> Command {
        let mut command = if nix::unistd::geteuid().is_root() {
            Command::new(&self.program)
        } else {
            let mut pkexec = Command::new("pkexec");
            pkexec.arg("--disable-internal-agent").arg(&self.program);
            pkexec
        };
        command.env_clear().envs(environment::cleaned(std::env::vars_os())).process_group(0);
        command
    }
}

impl Gone {
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|gone| *gone).await;
    }
}

impl Line {
    fn alive(&self) -> bool {
        !*self.gone.borrow()
    }

    async fn hello(&self) -> Result<(), Failure> {
        match self.exchange(Request::Hello { epoch: EPOCH, revision: REVISION }, None).await {
            Ok(Reply::Hello { epoch: EPOCH, .. }) => {
                self.socket.set_read_timeout(Some(ANSWER)).map_err(|error| missing(error.to_string()))
            }
            Ok(Reply::Hello { epoch, revision }) => Err(Failure::new(
                Code::HelperOld,
                SUBJECT,
                format!("helper {epoch}.{revision}, app {EPOCH}.{REVISION}"),
            )),
            Ok(Reply::Error(error)) => Err(failure(&error)),
            Ok(Reply::Done) => Err(missing("no greeting")),
            Err(error) => Err(missing(error.to_string())),
        }
    }

    async fn ask(&self, request: Request, fd: Option<OwnedFd>) -> Result<(), Failure> {
        match self.exchange(request, fd).await {
            Ok(Reply::Done | Reply::Hello { .. }) => Ok(()),
            Ok(Reply::Error(error)) => Err(failure(&error)),
            Err(error) => Err(Failure::new(Code::HelperGone, SUBJECT, error.to_string())),
        }
    }

    /// The caller holds the lock of the line, so answers cannot be mixed up.
    async fn exchange(&self, request: Request, fd: Option<OwnedFd>) -> io::Result<Reply> {
        let socket = self.socket.clone();
        let exchange = spawn_blocking(move || {
            wire::send(&socket, &request, fd.as_ref().map(AsFd::as_fd))?;
            wire::receive(&socket)?.map(|(reply, _)| reply).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        });
        exchange.await?
    }
}

async fn wait(mut child: Child, tell: watch::Sender<bool>) {
    match child.wait().await {
        Ok(status) => tracing::debug!(%status, "the helper has ended"),
        Err(error) => tracing::warn!(%error, "the helper cannot be waited for"),
    }
    tell.send_replace(true);
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
