//! What a tunnel does while it carries traffic: everything that runs beside each other, until one of it ends.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch,
    },
    task::spawn_blocking,
    time::timeout,
};

use super::{
    machine::Stage,
    reach::Follower,
    rules::{self, Wanted},
    up::{Context, Edits, LOGIN_FOLLOWS, Parts, Progress, Ready, capture},
    ups::Up,
};
use crate::{
    api::{Code, Failure},
    hosts,
    link::{End, Link},
    listen::{captured::Service, shortage::Shortages},
    names::{self, ask::Asker, decide::Decide, together::Member},
    ssh::hops,
    sys::{cgroup::Cgroup, owner::Diagnostics, redirect::Kernel},
    udp,
    users::Users,
};

/// How long an agent that runs may take to say its first word.
const FIRST_WORD: Duration = Duration::from_secs(20);

/// Carries traffic until something ends.
pub(super) async fn serve(
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
