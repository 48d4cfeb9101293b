//! Keeps a session's rules in place as long as the attempt lives: a helper that dies takes them with it, so a new
//! one is started and asked again, under the same login.

use ropeway_helper_api::Plan;
use tokio::{sync::mpsc::UnboundedSender, time::sleep};

use super::{
    backoff,
    up::{Context, Progress},
};
use crate::{
    api::{Code, Failure},
    helper::Change,
    sys::cgroup::Cgroup,
};

/// Loads, and mends until it cannot: returns why.
pub async fn keep(
    context: &Context,
    plan: Plan,
    direct: Option<&Cgroup>,
    tell: &UnboundedSender<Progress>,
) -> Failure {
    let mut tries = 0;
    loop {
        let copy = direct.and_then(|cgroup| cgroup.handle().try_clone_to_owned().ok());
        let fds = copy.into_iter().collect();
        let lost = match context.tools.helper.load(context.session, plan.clone(), fds).await {
            Ok(mut loaded) => {
                tries = 0;
                let _ = tell.send(Progress::Up);
                while loaded.watch.next().await == Change::Mended {}
                context.tools.helper.give_up(context.session).await;
                Failure::new(Code::HelperGone, "this computer", "the helper ended")
            }
            // at the start somebody is watching and gets the answer
            Err(failure) if tries == 0 || failure.code == Code::HelperMissing => return failure,
            Err(failure) => failure,
        };
        tries += 1;
        let _ = tell.send(Progress::RulesLost(lost));
        sleep(backoff::pause(tries, context.random())).await;
    }
}
