//! Keeps a session's rules in place as long as the attempt lives: a helper that dies takes them with it, so a new
//! one is asked again, under the same login. What is kept closed outlives the helper, and its successor takes it over.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};

use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
    time::sleep,
};

use super::{
    backoff,
    closed::Closed,
    conflicts::conflicts,
    reach::{Current, Shape, Version},
    up::{Context, Progress},
};
use crate::{
    api::{Code, Failure},
    helper::{Change, Loaded, Watch},
    link::Health,
    sys::cgroup::Cgroup,
    udp,
};

/// A helper that was killed is started again by the system, which may refuse for a moment.
const PATIENCE: u32 = 3;

/// What is to be in force.
pub struct Wanted<'a> {
    pub shape: Shape,
    /// What goes through; the rules follow it.
    pub current: Arc<Current>,
    /// Whose sockets are never captured.
    pub direct: Option<&'a Cgroup>,
    /// Whose alone are.
    pub captured: Option<OwnedFd>,
    /// Told whether they are in force, each time that they are loaded or lost.
    pub in_force: watch::Sender<bool>,
    /// For UDP, where the profile wants it.
    pub datagrams: Option<Arc<udp::Way>>,
}

/// Loads, and mends until it cannot: returns why. It is up when the agent has answered, too. When something else goes
/// through from now on, one replacement says so, and nothing that is open is lost.
pub async fn keep(
    context: &Context,
    wanted: Wanted<'_>,
    mut agent: watch::Receiver<Health>,
    tell: &UnboundedSender<Progress>,
) -> Failure {
    let (mut tries, mut answered, mut in_force) = (0, false, None);
    // its descriptor outlives replacements of the rules, and not the rules
    let mut _device = None;
    let mut versions = wanted.current.subscribe();
    loop {
        let version = versions.borrow_and_update().clone();
        let mut loss = None;
        match put_up(context, &wanted, &version, (!answered).then_some(&mut agent)).await {
            Ok(Loaded { overlaps, watch }) => {
                if in_force.is_none() {
                    _device = open_udp(context, &wanted, tell).await;
                }
                (tries, answered, in_force) = (0, true, Some(watch));
                wanted.current.loaded(version.number);
                wanted.in_force.send_replace(true);
                let conflicts = conflicts(&overlaps, &version.effective.include(), &context.tools.names);
                let _ = tell.send(Progress::Up(conflicts));
            }
            // what was loaded before is in force as it was
            Err(failure) if in_force.is_some() && !is_helpers(failure.code) => {
                let _ = tell.send(Progress::Note(failure));
            }
            Err(failure) if is_final(failure.code, tries) => return failure,
            Err(failure) => loss = Some(failure),
        }
        if let (None, Some(watch)) = (&loss, &mut in_force) {
            tokio::select! {
                failure = lost(context, watch, tell) => loss = Some(failure),
                Ok(()) = versions.changed() => {}
            }
        }
        if let Some(failure) = loss {
            (tries, in_force, _device) = (tries + 1, None, None);
            wanted.in_force.send_replace(false);
            let _ = tell.send(Progress::RulesLost(failure));
            sleep(backoff::pause(tries, context.random())).await;
        }
    }
}

/// Closes before a login, so that nothing leaves while there is no tunnel.
pub async fn close(context: &Context, closed: &Closed, direct: &Cgroup) -> Result<(), Failure> {
    context.tools.helper.block(context.session, closed.down.clone(), copy(direct.handle())).await
}

/// Takes the rules away; what is closed stays so. When the tunnel was lost (with the cgroup of its login), all of it.
pub async fn hold(context: &Context, closed: &Closed, lost: Option<&Cgroup>) {
    if let Some(direct) = lost.filter(|_| closed.down != closed.up)
        && let Err(failure) = close(context, closed, direct).await
    {
        tracing::warn!(detail = failure.detail, "only the profile's own networks stay closed");
    }
    context.tools.helper.hold(context.session).await;
}

/// Rules, then the agent's first word where it is still to come, and only then is less kept closed.
async fn put_up(
    context: &Context,
    wanted: &Wanted<'_>,
    version: &Version,
    agent: Option<&mut watch::Receiver<Health>>,
) -> Result<Loaded, Failure> {
    let loaded = load(context, wanted, version).await?;
    if let Some(agent) = agent {
        // who waits for it gives up at some time, and us with it
        let _ = agent.wait_for(|health| health.verified).await;
    }
    narrow(context, wanted).await?;
    Ok(loaded)
}

async fn load(context: &Context, wanted: &Wanted<'_>, version: &Version) -> Result<Loaded, Failure> {
    let (helper, session) = (&context.tools.helper, context.session);
    let closing = context.closed.as_ref().zip(wanted.direct);
    if let Some((closed, direct)) = closing.filter(|_| !helper.keeps_closed(session)) {
        close(context, closed, direct).await?;
    }
    let handles = wanted.direct.map(Cgroup::handle).into_iter();
    let fds =
        handles.chain(wanted.captured.as_ref().map(std::os::fd::AsFd::as_fd)).filter_map(copy).collect();
    helper.load(session, wanted.shape.plan(&version.effective), fds).await
}

/// What is kept closed only while there is no tunnel is opened.
async fn narrow(context: &Context, wanted: &Wanted<'_>) -> Result<(), Failure> {
    match context.closed.as_ref().zip(wanted.direct) {
        Some((closed, direct)) if closed.up != closed.down => {
            context.tools.helper.block(context.session, closed.up.clone(), copy(direct.handle())).await
        }
        _ => Ok(()),
    }
}

/// Carries datagrams where that is wanted, until dropped. Where there can be no device everything else goes on, and it is
/// said.
async fn open_udp(
    context: &Context,
    wanted: &Wanted<'_>,
    tell: &UnboundedSender<Progress>,
) -> Option<JoinSet<()>> {
    let way = wanted.datagrams.clone()?;
    let opened = context.tools.helper.open_udp(context.session).await;
    let device = opened.map_err(|failure| tell.send(Progress::Note(failure))).ok()?;
    let (tell, mut task) = (tell.clone(), JoinSet::new());
    task.spawn(async move {
        let ended = udp::carry(device, &way).await.to_string();
        let _ = tell.send(Progress::Note(Failure::new(Code::Internal, "UDP", ended)));
    });
    Some(task)
}

/// Until the rules are gone: how they went.
async fn lost(context: &Context, watch: &mut Watch, tell: &UnboundedSender<Progress>) -> Failure {
    let how = loop {
        match watch.next().await {
            Change::Mended => drop(tell.send(Progress::Mended)),
            Change::Removed => break "another program removed them",
            Change::Gone => break "the helper ended",
        }
    };
    context.tools.helper.give_up(context.session).await;
    context.tools.meters.restart(&context.profile);
    Failure::new(Code::HelperGone, "this computer", how)
}

/// Whether it is about the helper, and not about what it was asked for.
fn is_helpers(code: Code) -> bool {
    matches!(
        code,
        Code::HelperGone | Code::HelperMissing | Code::HelperBusy | Code::HelperOld | Code::NotGranted
    )
}

/// At the start somebody is watching and gets the answer; later only what a person must change ends it.
fn is_final(code: Code, tries: u32) -> bool {
    match code {
        _ if tries == 0 => true,
        Code::HelperMissing => tries >= PATIENCE,
        Code::NotGranted | Code::HelperOld => true,
        _ => false,
    }
}

/// Descriptors go away with the message.
fn copy(handle: BorrowedFd) -> Option<OwnedFd> {
    handle.try_clone_to_owned().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_is_just_being_started_again_is_waited_for() {
        assert!(is_final(Code::HelperMissing, 0));
        assert!(!is_final(Code::HelperMissing, 1) && is_final(Code::HelperMissing, PATIENCE));
        assert!(is_final(Code::NotGranted, 1) && !is_final(Code::HelperBusy, 100));
    }
}
