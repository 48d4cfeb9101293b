//! The engine's line to the privileged helper: one for all tunnels of this engine, opened when something is first
//! wanted, closed with the last session, and then the helper may end itself. Here is what tunnels ask of it.
//!
//! [`bus`] opens a line to the helper that the system looks after, [`own`] starts one for root where there is none;
//! [`line`] is one open line; [`restore`] is about what crashes left closed.

mod bus;
mod failures;
mod line;
mod own;
mod restore;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ropeway_helper_api::{
    Block, Hosts, Leaks, Notice, Overlap, Plan, RefusedHost, Reply, Request, SessionId,
};
use tokio::{
    net::{TcpSocket, TcpStream, UdpSocket},
    sync::{broadcast, watch},
    time::timeout,
};

use self::line::Line;
use crate::{
    api::{Code, Failure},
    sys::identity,
};

/// How long a helper may take to end, with every rule, after we have hung up.
const END: Duration = Duration::from_secs(2);

/// What the kernel allows a connection attempt by default; nothing waits for it but its own program.
const CONNECT: Duration = Duration::from_mins(2);

/// Made once for an engine.
pub struct Helper {
    /// Root's own, where the system has none.
    program: PathBuf,
    current: Mutex<Option<Current>>,
    /// Held while a line is opened or closed, which may take seconds: a helper that is still undoing its rules is in the
    /// next one's way. Who only talks on a line does not wait for that.
    opening: tokio::sync::Mutex<()>,
}

/// The line, and who needs it.
struct Current {
    line: Line,
    /// What each session has on it.
    sessions: BTreeMap<SessionId, Kept>,
}

/// What a session has, at most: who asked and did not hear the answer may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    /// Nothing yet; it will soon want something.
    Nothing,
    Rules,
    /// Networks are kept closed, too.
    Closed,
}

/// Rules that are in force.
pub struct Loaded {
    pub overlaps: Vec<Overlap>,
    pub watch: Watch,
}

/// Tells what becomes of them.
pub struct Watch {
    gone: watch::Receiver<bool>,
    notices: broadcast::Receiver<Notice>,
}

/// What became of loaded rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Another program took them away; they are back.
    Mended,
    /// Another program took them away for good.
    Removed,
    /// The helper that holds them has ended.
    Gone,
}

impl Helper {
    pub fn new(program: PathBuf) -> Self {
        Self { program, current: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// Opens the line that the session will soon need, so that nobody waits for that then. What is in the way of it is told
    /// to who needs it.
    pub async fn prepare(&self, session: SessionId) {
        if let Err(failure) = self.line_for(session).await {
            tracing::debug!(detail = failure.detail, "no line to the helper yet");
        }
    }

    /// Installs or replaces a session's rules. The descriptors are those that the plan promises.
    pub async fn load(&self, session: SessionId, plan: Plan, fds: Vec<OwnedFd>) -> Result<Loaded, Failure> {
        let line = self.line_for(session).await?;
        let watch = Watch { gone: line.gone(), notices: line.notices() };
        self.note_at_least(&line, session, Kept::Rules);
        match failures::heard(line.ask(Request::Load { session, plan }, fds).await)? {
            Reply::Loaded { overlaps, method } => {
                tracing::debug!(?method, "rules are loaded");
                Ok(Loaded { overlaps, watch })
            }
            other => Err(failures::unexpected(&other)),
        }
    }

    /// What went around the session's tunnel; None where nobody counts it.
    pub async fn meter(&self, session: SessionId) -> Option<Leaks> {
        if self.has_nothing(session) {
            return None;
        }
        match self.line_of(session)?.ask(Request::Meter { session }, vec![]).await {
            Ok(Reply::Meter { leaks }) => Some(leaks),
            _ => None,
        }
    }

    /// These names and no others are the session's in the hosts file, as long as its rules live. The refused ones are left out.
    pub async fn set_hosts(&self, session: SessionId, hosts: Hosts) -> Result<Vec<RefusedHost>, Failure> {
        let line = self.line_of(session);
        let line = line.ok_or_else(|| failures::gone(&io::ErrorKind::NotConnected.into()))?;
        match failures::heard(line.ask(Request::SetHosts { session, hosts }, vec![]).await)? {
            Reply::Hosts { refused } => Ok(refused),
            other => Err(failures::unexpected(&other)),
        }
    }

    /// A device for the datagrams of a session whose rules are loaded.
    pub async fn open_udp(&self, session: SessionId) -> Result<OwnedFd, Failure> {
        let line = self.line_for(session).await?;
        let answer = line.ask_for(Request::OpenUdp { session }, vec![]).await;
        let (reply, fds) = answer.map_or_else(|error| (Err(error), vec![]), |(reply, fds)| (Ok(reply), fds));
        let reply = failures::heard(reply)?;
        fds.into_iter().next().ok_or_else(|| failures::unexpected(&reply))
    }

    /// Keeps networks closed from now on, whatever dies, until [`Helper::lift`]; replaces what the session kept closed.
    pub async fn block(
        &self,
        session: SessionId,
        block: Block,
        direct: Option<OwnedFd>,
    ) -> Result<(), Failure> {
        let line = self.line_for(session).await?;
        let before = self.note(&line, session, Kept::Closed);
        let fds = direct.into_iter().collect();
        // whoever drops us here leaves it noted: what may be closed is treated as closed
        let answer = line.ask(Request::Block { session, block }, fds).await;
        if let (Ok(Reply::Error(_)), Some(before)) = (&answer, before) {
            self.note(&line, session, before);
        }
        failures::heard(answer).map(drop)
    }

    /// Returns what was noted before; None when that line is not in use any more.
    fn note(&self, line: &Line, session: SessionId, kept: Kept) -> Option<Kept> {
        let mut current = self.current();
        let current = current.as_mut().filter(|current| current.line.is(line))?;
        Some(current.sessions.insert(session, kept).unwrap_or(Kept::Nothing))
    }

    /// Before it is asked for.
    fn note_at_least(&self, line: &Line, session: SessionId, kept: Kept) {
        let mut current = self.current();
        let current = current.as_mut().filter(|current| current.line.is(line));
        if let Some(before) = current.and_then(|current| current.sessions.get_mut(&session)) {
            *before = kept.max(*before);
        }
    }

    /// Whether the helper that runs keeps something closed for the session. One that died has left it closed, too, but
    /// its successor does not know whose it is.
    pub fn keeps_closed(&self, session: SessionId) -> bool {
        let current = self.current();
        let alive = current.as_ref().filter(|current| current.line.is_alive());
        alive.is_some_and(|current| current.sessions.get(&session) == Some(&Kept::Closed))
    }

    fn has_nothing(&self, session: SessionId) -> bool {
        self.current().as_ref().is_some_and(|current| current.sessions.get(&session) == Some(&Kept::Nothing))
    }

    /// Removes the session's rules; what it keeps closed stays closed. A helper that is gone has removed them already.
    pub async fn hold(&self, session: SessionId) {
        if self.keeps_closed(session) {
            self.take_back(session, Request::Hold { session }).await;
        } else {
            self.unload(session).await;
        }
    }

    /// Removes the session's rules. A helper that is gone has removed them already.
    pub async fn unload(&self, session: SessionId) {
        if self.has_nothing(session) || self.take_back(session, Request::Unload { session }).await {
            self.let_go(session).await;
        }
    }

    /// Opens what the session kept closed, also where the helper that closed it is gone: `block` says which it was.
    pub async fn lift(&self, session: SessionId, block: Block) -> Result<(), Failure> {
        if !self.keeps_closed(session)
            && let Err(failure) = self.block(session, Block { direct_cgroup: false, ..block }, None).await
        {
            return self.lift_without_grant(failure).await;
        }
        let line = self.line_for(session).await?;
        failures::heard(line.ask(Request::Unload { session }, vec![]).await)?;
        self.let_go(session).await;
        Ok(())
    }

    /// Who may not use the helper any more may still open what is theirs.
    async fn lift_without_grant(&self, failure: Failure) -> Result<(), Failure> {
        if failure.code == Code::NotGranted { bus::restore().await } else { Err(failure) }
    }

    /// The session's rules went, and its helper with them: the next [`Helper::load`] asks another one.
    pub async fn give_up(&self, session: SessionId) {
        let _one_at_a_time = self.opening.lock().await;
        if let Some(line) = self.line_of(session) {
            self.forget(&line);
            farewell(&line).await;
        }
    }

    /// Ends every session, and with it every rule.
    pub async fn end(&self) {
        let current = self.current().take();
        if let Some(Current { line, .. }) = current {
            farewell(&line).await;
        }
    }

    /// A connection that no rule captures.
    pub async fn connect_directly(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        self.mark(socket.as_fd()).await?;
        timeout(CONNECT, socket.connect(target)).await?
    }

    /// A socket for datagrams to that address alone, which no rule captures.
    pub async fn datagrams_directly(&self, target: SocketAddr) -> io::Result<UdpSocket> {
        let any: IpAddr =
            if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        self.mark(socket.as_fd()).await?;
        socket.connect(target).await?;
        Ok(socket)
    }

    /// A socket that is not connected yet.
    async fn mark(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let copy = socket.try_clone_to_owned()?;
        let line = self.current().as_ref().map(|current| current.line.clone());
        let line = line.ok_or(io::ErrorKind::NotConnected)?;
        let marked = failures::heard(line.ask(Request::MarkSocket, vec![copy]).await);
        marked.map(drop).map_err(|failure| io::Error::other(failure.detail))
    }

    /// Whether it was done. A helper that does not do it is hung up on, which undoes everything.
    async fn take_back(&self, session: SessionId, request: Request) -> bool {
        let Some(line) = self.line_of(session) else { return false };
        let answer = line.ask(request, vec![]).await;
        if matches!(answer, Ok(Reply::Done)) {
            return true;
        }
        tracing::warn!(?answer, "the helper did not remove the rules: hanging up");
        self.give_up(session).await;
        false
    }

    /// The last session closes the line: a helper that nobody talks to may end itself.
    async fn let_go(&self, session: SessionId) {
        let _one_at_a_time = self.opening.lock().await;
        let last = {
            let mut current = self.current();
            current.as_mut().map(|current| current.sessions.remove(&session));
            current.take_if(|current| current.sessions.is_empty())
        };
        if let Some(Current { line, .. }) = last {
            farewell(&line).await;
        }
    }

    /// The line, opened where there is none. From now on the session needs it.
    async fn line_for(&self, session: SessionId) -> Result<Line, Failure> {
        let _one_at_a_time = self.opening.lock().await;
        if let Some(current) = self.current().as_mut().filter(|current| current.line.is_alive()) {
            current.sessions.entry(session).or_insert(Kept::Nothing);
            return Ok(current.line.clone());
        }
        let line = self.open().await?;
        let sessions = BTreeMap::from([(session, Kept::Nothing)]);
        *self.current() = Some(Current { line: line.clone(), sessions });
        Ok(line)
    }

    /// Root has one of its own where the system has none.
    async fn open(&self) -> Result<Line, Failure> {
        match bus::open().await {
            Ok(socket) if serves_us(&socket) => line::greet(socket, std::future::ready(())).await,
            Ok(_) => own::start(&self.program).await,
            Err(bus::Refusal::Absent(detail)) if nix::unistd::geteuid().is_root() => {
                tracing::debug!(detail, "no helper on the system bus; starting our own");
                own::start(&self.program).await
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The line, while it lives and the session needs it.
    fn line_of(&self, session: SessionId) -> Option<Line> {
        let current = self.current();
        let alive = current.as_ref().filter(|current| current.line.is_alive());
        alive.filter(|current| current.sessions.contains_key(&session)).map(|current| current.line.clone())
    }

    fn forget(&self, line: &Line) {
        self.current().take_if(|current| current.line.is(line));
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Waits for the next.
    pub async fn next(&mut self) -> Change {
        loop {
            let notice = tokio::select! {
                biased;
                notice = self.notices.recv() => notice,
                _ = self.gone.wait_for(|gone| *gone) => return Change::Gone,
            };
            match notice {
                Ok(Notice::RulesGone { mended: true }) => return Change::Mended,
                Ok(Notice::RulesGone { mended: false }) => return Change::Removed,
                // it serves until the last session has closed the line
                Ok(Notice::Replaced) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => {
                    let _ = self.gone.wait_for(|gone| *gone).await;
                    return Change::Gone;
                }
            }
        }
    }
}

/// Until the helper has undone everything and hung up, too.
async fn farewell(line: &Line) {
    let mut gone = line.gone();
    line.hang_up();
    let _ = timeout(END, gone.wait_for(|gone| *gone)).await;
}

/// A bus may reach into another network (`ip netns exec`), whose helper would put the rules there. Only root can look,
/// and only root has another helper to ask.
fn serves_us(socket: &UnixStream) -> bool {
    !nix::unistd::geteuid().is_root() || identity::shares_network(socket)
}
