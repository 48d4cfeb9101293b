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
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch,
    },
    task::spawn_blocking,
    time::timeout,
};

use super::{
    closed::Closed,
    conflicts::Names,
    machine::Stage,
    reach::{self, Current, Follower, Shape},
    rules::{self, Wanted},
    ups::{Up, Ups},
};
use crate::{
    agents::Agents,
    api::{Code, Conflict, Failure, ProfileId},
    helper::Helper,
    hosts,
    link::{End, Health, Link},
    listen::{captured::Service, ports::Listeners, shortage::Shortages},
    live::Table,
    memory::Memory,
    meters::Meters,
    names::{
        self,
        ask::Asker,
        decide::Decide,
        together::{Member, Together},
    },
    ours::{Adopted, Ours},
    profile::{Capture, Parsed, Server},
    ssh::{bootstrap::Machine, channel::Channel, cipher, hops, login::Login},
    sys::{
        cgroup::{self, Cgroup},
        identity,
        owner::Diagnostics,
        redirect::Kernel,
    },
    udp,
    users::Users,
};

/// How long an agent that runs may take to say its first word.
const FIRST_WORD: Duration = Duration::from_secs(20);

/// When the agent's channel ends, the login may be ending too, and is then the reason; it is noticed this much later.
const LOGIN_FOLLOWS: Duration = Duration::from_millis(500);

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
struct Parts {
    cgroup: Option<Cgroup>,
    /// What must outlive the attempt is in force.
    closed: bool,
    adopted: Vec<Adopted>,
    login: Option<Login>,
    channel: Option<Channel>,
    /// Closed after the rules are gone: nobody else may listen where the rules still point to.
    listeners: Vec<Arc<TcpListener>>,
    /// Ends when the last captured connection is closed.
    connections: Option<mpsc::Receiver<()>>,
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
    fn subject(&self) -> String {
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
struct Ready {
    listeners: Listeners,
    names: names::listen::Sockets,
    shape: Shape,
    current: Arc<Current>,
    /// Whose traffic alone is captured.
    captured: Option<OwnedFd>,
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
            Ok(ready) => serve(context, parts, (ready, edits.clone()), tell).await,
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

/// Carries traffic until something ends.
async fn serve(
    context: &Context,
    parts: &mut Parts,
    (ready, edits): (Ready, Edits),
    tell: &UnboundedSender<Progress>,
) -> Failure {
    let (Some(channel), Some(login)) = (parts.channel.as_mut(), parts.login.as_mut()) else {
        return Failure::new(Code::Internal, context.subject(), "no agent to talk to");
    };
    let link = Link::new(context.parsed.latency);
    let (alive, connections) = mpsc::channel(1);
    parts.connections = Some(connections);
    let pump = link.run(&mut channel.output, &mut channel.input, &channel.first);
    let ended = tokio::select! {
        end = pump => end,
        failure = login.ended() => return failure,
        failure = carry(context, &link, parts.cgroup.as_ref(), (ready, edits, alive), tell) => return failure,
    };
    match timeout(LOGIN_FOLLOWS, login.ended()).await {
        Ok(failure) if context.parsed.server.is_some() => failure,
        _ => agent_ended(&ended, &link, context.subject()),
    }
}

async fn carry(
    context: &Context,
    link: &Link,
    cgroup: Option<&Cgroup>,
    (Ready { listeners, names, shape, current, captured }, edits, alive): (Ready, Edits, mpsc::Sender<()>),
    tell: &UnboundedSender<Progress>,
) -> Failure {
    let _ = tell.send(Progress::Reached(Stage::LoadingRules));
    let (short, shortages) = mpsc::unbounded_channel();
    let in_force = watch::Sender::new(false);
    let rules = in_force.subscribe();
    let datagrams = context.parsed.reach.udp.then(|| {
        Arc::new(udp::Way {
            link: link.clone(),
            profile: context.profile.clone(),
            current: current.clone(),
            table: context.tools.table.clone(),
        })
    });
    let wanted = Wanted { shape, current: current.clone(), direct: cgroup, captured, in_force, datagrams };
    let dns = context.parsed.names.dns.clone().unwrap_or_default();
    let asker = Asker::new(link.clone(), dns.servers.clone());
    let (learn, learned) = mpsc::unbounded_channel();
    let me = Member {
        session: context.session,
        name: context.name.clone(),
        capture: capture(context),
        decide: Decide::new(dns, &[]),
        asker: asker.clone(),
        learn,
    };
    let answering = context.tools.answering.clone();
    let names_service = Arc::new(names::serve::Service::new(answering, context.tools.helper.clone(), me));
    let taken = |holder, what| {
        let _ = tell.send(Progress::Note(Failure::new(Code::DnsTaken, &what, &holder)));
    };
    let _up = context.tools.ups.add(
        context.profile.clone(),
        Up { name: context.name.clone(), current: current.clone(), link: link.clone(), asker: asker.clone() },
    );
    let follower = Follower::new(link.clone(), asker.clone(), current.clone());
    let service = Arc::new(Service {
        destinations: Kernel,
        profile: context.profile.clone(),
        current,
        names: names_service.clone(),
        link: link.clone(),
        table: context.tools.table.clone(),
        helper: context.tools.helper.clone(),
        capture: capture(context),
        ours: context.tools.ours.clone(),
        alive,
        diagnostics: Diagnostics::open().ok(),
        users: Users::default(),
        shortages: Shortages::new(context.subject(), short),
    });
    tokio::select! {
        // at once: what is captured before the agent's first word waits in the mux, and leaves with ours
        failure = rules::keep(context, wanted, link.health(), tell) => failure,
        failure = first_word(context, link) => failure,
        () = asker.run() => Failure::new(Code::Internal, context.subject(), "the link ended"),
        () = follower.run(edits.clone(), learned) => Failure::new(Code::Internal, context.subject(), "the link ended"),
        () = names_service.follow(edits, endpoints(context, cgroup), taken) => {
            Failure::new(Code::Internal, context.subject(), "names ended")
        }
        () = names_service.clone().run(names) => Failure::new(Code::Internal, context.subject(), "names ended"),
        () = service.run(listeners.all) => Failure::new(Code::Internal, context.subject(), "the listeners ended"),
        () = hosts::keep(context, link, rules, tell) => Failure::new(Code::Internal, context.subject(), "the names ended"),
        () = report_shortages(shortages, tell) => Failure::new(Code::Internal, context.subject(), "the listeners ended"),
        () = report_health(link, tell) => Failure::new(Code::Internal, context.subject(), "the heartbeat ended"),
    }
}

/// Learns from it; ends only when it does not come.
async fn first_word(context: &Context, link: &Link) -> Failure {
    if timeout(FIRST_WORD, link.health().wait_for(|health| health.verified)).await.is_err() {
        return Failure::new(Code::Protocol, context.subject(), "the agent says nothing");
    }
    if let (Some(server), Some(aes)) = (context.parsed.server.clone(), link.peer_has_aes()) {
        let (memory, profile) = (context.tools.memory.clone(), context.profile.clone());
        // a home on a network may let its files wait
        let learned = spawn_blocking(move || memory.learn_aes(&profile, &server, aes)).await;
        tracing::debug!(aes, ?learned, "the server's processor");
    }
    pending().await
}

/// The names of the servers on the way, as ssh's configuration has them.
async fn endpoints(context: &Context, cgroup: Option<&Cgroup>) -> Vec<String> {
    let Some(server) = &context.parsed.server else { return vec![] };
    let socket = context.tools.runtime.join(format!("{}.ssh", context.session.0));
    hops::names(&context.parsed.ssh_command, server, &socket, cgroup.map(Cgroup::folder)).await
}

fn capture(context: &Context) -> ropeway_helper_api::Capture {
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

async fn report_shortages(mut shortages: UnboundedReceiver<Failure>, tell: &UnboundedSender<Progress>) {
    while let Some(failure) = shortages.recv().await {
        let _ = tell.send(Progress::Note(failure));
    }
}

async fn report_health(link: &Link, tell: &UnboundedSender<Progress>) {
    let mut health = link.health();
    loop {
        let _ = tell.send(Progress::Health(*health.borrow_and_update()));
        if health.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

fn agent_ended(end: &End, link: &Link, server: String) -> Failure {
    match end {
        End::Eof if link.health().borrow().round_trip.is_none() => {
            Failure::new(Code::AgentEnded, server, "it ended before its first word")
        }
        End::Eof => Failure::new(Code::AgentEnded, server, "its output ended"),
        End::Pipe(error) => Failure::new(Code::AgentEnded, server, error.to_string()),
        End::Protocol(error) => Failure::new(Code::Protocol, server, error.to_string()),
        End::NoAnswer => Failure::new(Code::SshEnded, server, "no answer for 20 s"),
    }
}
