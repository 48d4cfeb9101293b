//! One attempt: from nothing to a tunnel that carries traffic, until it is lost or cancelled. Whatever it made is
//! taken down before it returns.

use std::{
    future::pending,
    hash::{BuildHasher, RandomState},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::unistd::getuid;
use ropeway_helper_api::SessionId;
use tokio::{
    net::TcpListener,
    sync::{
        Notify,
        mpsc::{self, UnboundedSender},
        watch,
    },
    task::spawn_blocking,
    time::timeout,
};

use super::{
    closed::Closed,
    conflicts::Names,
    machine::Stage,
    reach::{self, Current, Shape},
    rules, serve,
    ups::Ups,
};
use crate::{
    agents::Agents,
    api::{Code, Conflict, Failure, ProfileId},
    helper::Helper,
    hosts,
    link::Health,
    listen::ports::Listeners,
    live::Table,
    memory::Memory,
    meters::Meters,
    names::{self, together::Together},
    ours::{Adopted, Ours},
    profile::{Capture, Parsed, Server},
    ssh::{bootstrap::Machine, channel::Channel, cipher, login::Login},
    sys::{
        cgroup::{self, Cgroup},
        identity,
    },
};

/// When the agent's channel ends, the login may be ending too, and is then the reason; it is noticed this much later.
pub(super) const LOGIN_FOLLOWS: Duration = Duration::from_millis(500);

/// Closing a socket takes microseconds; a machine that swaps may need longer, but nobody should wait for it.
const CLOSING: Duration = Duration::from_secs(1);

/// What an attempt works with.
pub struct Context {
    pub profile: ProfileId,
    pub name: String,
    /// What of it can be understood.
    pub parsed: Arc<Parsed>,
    /// Why it cannot be used.
    pub invalid: Option<Failure>,
    /// What is kept closed from the first attempt on, where that is wanted.
    pub closed: Option<Closed>,
    /// The tunnel's, over all its attempts.
    pub session: SessionId,
    pub tools: Arc<Tools>,
}

/// What all tunnels of an engine share.
pub struct Tools {
    pub helper: Arc<Helper>,
    pub table: Arc<Table>,
    pub meters: Arc<Meters>,
    pub hosts: Arc<hosts::Table>,
    pub agents: Arc<Agents>,
    pub ours: Arc<Ours>,
    /// Of the profiles whose sessions may be in the way of another's.
    pub names: Names,
    /// Who answers for which names.
    pub answering: Arc<Together>,
    /// The tunnels that are up.
    pub ups: Arc<Ups>,
    pub memory: Arc<Memory>,
    /// 0700; for the masters' sockets.
    pub runtime: PathBuf,
}

/// What the profile says now of networks and names; the rest of it is for the next attempt.
pub type Edits = watch::Receiver<Arc<Parsed>>;

/// What an attempt tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    Reached(Stage),
    Closed,
    /// But these networks, which go elsewhere.
    Up(Vec<Conflict>),
    RulesLost(Failure),
    /// Another program took the rules away, and they are back.
    Mended,
    /// Something that does not go well, and ends nothing.
    Note(Failure),
    Health(Health),
}

/// Runs until lost (Err) or cancelled (Ok).
pub async fn attempt(
    context: &Context,
    tell: &UnboundedSender<Progress>,
    edits: &Edits,
    cancel: &Notify,
) -> Result<(), Failure> {
    if let Some(failure) = &context.invalid {
        return Err(failure.clone());
    }
    let mut parts = Parts::default();
    let result = match prepare(context, &mut parts, tell).await {
        Ok(()) => tokio::select! {
            failure = build_up(context, &mut parts, edits, tell) => Err(failure),
            () = cancel.notified() => Ok(()),
        },
        Err(failure) => Err(failure),
    };
    // the rules go last: without them a program would not hear that its connection is cut
    parts.close_connections().await;
    context.tools.meters.read(&context.profile).await; // the counters go with them
    match &context.closed {
        Some(closed) => {
            let lost = parts.cgroup.as_ref().filter(|_| parts.closed && result.is_err());
            rules::hold(context, closed, lost).await;
        }
        None => context.tools.helper.unload(context.session).await,
    }
    context.tools.hosts.forget(&context.profile);
    if context.parsed.names.dns.is_some() {
        // what it remembers are the server's names
        names::flush::flush().await;
    }
    parts.take_down().await;
    result
}

/// Nobody can cancel this: who is off must know what is closed.
async fn prepare(
    context: &Context,
    parts: &mut Parts,
    tell: &UnboundedSender<Progress>,
) -> Result<(), Failure> {
    match (context.tools.ours.cgroup(), &context.closed) {
        (Ok(cgroup), None) => parts.cgroup = Some(cgroup),
        (Ok(cgroup), Some(closed)) => {
            let result = rules::close(context, closed, parts.cgroup.insert(cgroup)).await;
            // a helper that died with the question may have done it, and its successor takes it up
            if result.as_ref().map_or_else(|failure| failure.code == Code::HelperGone, |()| true) {
                let _ = tell.send(Progress::Closed);
            }
            result?;
            parts.closed = true;
        }
        (Err(error), None) => {
            tracing::info!(%error, "no cgroup of our own; ssh is recognised by its processes");
        }
        // where ssh goes is not known beforehand (aliases, jumps, other programs), so no list of addresses could let
        // it pass
        (Err(error), Some(_)) => {
            return Err(Failure::new(Code::CannotHold, "this computer", format!("no cgroup: {error}")));
        }
    }
    Ok(())
}

/// What must be taken down.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) cgroup: Option<Cgroup>,
    /// What must outlive the attempt is in force.
    pub(super) closed: bool,
    pub(super) adopted: Vec<Adopted>,
    pub(super) login: Option<Login>,
    pub(super) channel: Option<Channel>,
    /// Closed after the rules are gone: nobody else may listen where the rules still point to.
    pub(super) listeners: Vec<Arc<TcpListener>>,
    /// Ends when the last captured connection is closed.
    pub(super) connections: Option<mpsc::Receiver<()>>,
}

impl Parts {
    async fn close_connections(&mut self) {
        if let Some(mut open) = self.connections.take() {
            let _ = timeout(CLOSING, open.recv()).await;
        }
    }

    async fn take_down(self) {
        drop(self.listeners);
        if let Some(channel) = self.channel {
            channel.end().await;
        }
        if let Some(login) = self.login {
            login.end().await;
        }
        // the guard has done this, unless somebody killed it
        if let Some(cgroup) = self.cgroup {
            let _ = spawn_blocking(move || cgroup::remove(cgroup.folder())).await;
        }
    }
}

impl Context {
    pub(super) fn subject(&self) -> String {
        self.parsed.server.as_ref().map_or_else(|| "this computer".to_owned(), Server::to_string)
    }

    /// The rule for the cgroup is the better way: it costs nothing and survives the helper.
    fn adopt(&self, pid: Option<u32>, cgroup: Option<&Cgroup>) -> Option<Adopted> {
        pid.filter(|_| cgroup.is_none()).map(|pid| self.tools.ours.adopt(pid))
    }

    pub(super) fn random(&self) -> u32 {
        RandomState::new().hash_one(self.session.0) as u32
    }
}

/// All that a tunnel needs on this side of the login.
pub(super) struct Ready {
    pub(super) listeners: Listeners,
    pub(super) names: names::listen::Sockets,
    pub(super) shape: Shape,
    pub(super) current: Arc<Current>,
    /// Whose traffic alone is captured.
    pub(super) captured: Option<OwnedFd>,
}

impl Ready {
    fn make(
        context: &Context,
        cgroup: Option<&Cgroup>,
        keep: &mut Vec<Arc<TcpListener>>,
    ) -> Result<Self, Failure> {
        let share = &context.parsed.reach.share;
        let listeners = Listeners::bind(!share.is_empty())
            .map_err(|error| Failure::new(Code::Resources, context.subject(), error.to_string()))?;
        keep.clone_from(&listeners.all);
        let names = names::listen::Sockets::bind()
            .map_err(|error| Failure::new(Code::Resources, context.subject(), error.to_string()))?;
        let shape = Shape {
            listeners: listeners.ports.clone(),
            names_v4: names.v4,
            names_v6: names.v6,
            capture: capture(context),
            direct_cgroup: cgroup.is_some(),
            resolver: names::network::resolver(),
        };
        let current = Current::new(reach::first(context.parsed.clone()));
        let plan = shape.plan(&current.newest().effective);
        plan.validate()
            .map_err(|error| Failure::new(Code::ProfileInvalid, context.subject(), error.to_string()))?;
        Ok(Self { listeners, names, shape, current: Arc::new(current), captured: captured(context)? })
    }
}

async fn build_up(
    context: &Context,
    parts: &mut Parts,
    edits: &Edits,
    tell: &UnboundedSender<Progress>,
) -> Failure {
    let tunnel = async {
        match sign_in(context, parts, tell).await {
            Ok(ready) => serve::serve(context, parts, (ready, edits.clone()), tell).await,
            Err(failure) => failure,
        }
    };
    // the helper takes tens of milliseconds to start, and ssh longer: neither waits for the other
    let prepare = context.tools.helper.prepare(context.session);
    tokio::select! {
        failure = tunnel => failure,
        () = async { prepare.await; pending().await } => Failure::new(Code::Internal, context.subject(), "no end"),
    }
}

/// Until the agent starts.
async fn sign_in(
    context: &Context,
    parts: &mut Parts,
    tell: &UnboundedSender<Progress>,
) -> Result<Ready, Failure> {
    let _ = tell.send(Progress::Reached(Stage::SigningIn));
    let cgroup = parts.cgroup.as_ref();
    let folder = cgroup.map(Cgroup::folder);
    let Some(server) = &context.parsed.server else {
        let guard = Login::none(folder)
            .map_err(|error| Failure::new(Code::Resources, context.subject(), error.to_string()))?;
        parts.login = Some(guard);
        let channel = Channel::local(&context.tools.agents, folder)?;
        parts.adopted.extend(context.adopt(channel.pid(), cgroup));
        parts.channel = Some(channel);
        return Ready::make(context, cgroup, &mut parts.listeners);
    };
    let (program, socket) =
        (&context.parsed.ssh_command, context.tools.runtime.join(format!("{}.ssh", context.session.0)));
    let wish = preferred_cipher(context, server, &socket, folder).await;
    let login = parts.login.insert(Login::start(program, server, &socket, wish.as_deref(), folder)?);
    parts.adopted.extend(context.adopt(login.pid(), cgroup));
    // ssh is under way meanwhile
    let ready = Ready::make(context, cgroup, &mut parts.listeners)?;
    login.signed_in().await?;
    let _ = tell.send(Progress::Reached(Stage::StartingAgent));
    let subject = context.subject();
    let start =
        Channel::remote(program, &subject, &socket, &context.tools.agents, |it| elsewhere(it, &subject));
    let started = tokio::select! {
        started = start => started,
        failure = login.ended() => return Err(failure),
    };
    parts.channel = Some(match started {
        Ok(channel) => channel,
        // a channel that says nothing: forbidden, or the login itself is ending
        Err(failure) if matches!(failure.code, Code::NoExec | Code::SshMissing) => {
            return Err(timeout(LOGIN_FOLLOWS, login.ended()).await.unwrap_or(failure));
        }
        Err(failure) => return Err(failure),
    });
    Ok(ready)
}

/// What is known from an earlier login decides, so that only who can gain by it waits for ssh to tell its configuration.
async fn preferred_cipher(
    context: &Context,
    server: &Server,
    socket: &Path,
    cgroup: Option<&Path>,
) -> Option<String> {
    let both = cipher::hardware_aes() && context.tools.memory.aes(&context.profile, server) == Some(true);
    if !both {
        return None;
    }
    let option = cipher::option(&context.parsed.ssh_command, server, socket, cgroup).await;
    tracing::debug!(?option, "both processors have AES");
    option
}

/// A server on this very machine would send everything back to us.
fn elsewhere(machine: &Machine, server: &str) -> Result<(), Failure> {
    let Some((boot, namespace)) = identity::of_this_process() else { return Ok(()) };
    if machine.boot == boot && machine.namespace == namespace {
        return Err(Failure::new(Code::SameMachine, server, format!("boot {boot}, {namespace}")));
    }
    Ok(())
}

pub(super) fn capture(context: &Context) -> ropeway_helper_api::Capture {
    context.parsed.capture.of(getuid())
}

/// The folder of the cgroup whose programs alone are captured.
fn captured(context: &Context) -> Result<Option<OwnedFd>, Failure> {
    let Capture::Cgroup(path) = &context.parsed.capture else { return Ok(None) };
    cgroup::open(path).map(Some).map_err(|error| {
        let detail = format!("cgroup:{}: {error}", path.display());
        Failure::new(Code::ProfileInvalid, &context.name, detail)
    })
}
