//! The state as people see it: the machine's value, put into words.

use std::time::Duration;

use super::{
    machine::{Machine, State},
    up::Context,
};
use crate::{
    api::{Phase, ProfileId, Status},
    link::Health,
    live,
    profile::{Parsed, Server},
    words,
};

/// All that the picture shows.
pub struct Picture<'a> {
    profile: &'a ProfileId,
    parsed: &'a Parsed,
    state: &'a State,
    health: Health,
    since: u64,
    retry: Option<Duration>,
}

impl<'a> Picture<'a> {
    pub fn new(
        context: &'a Context,
        machine: &'a Machine,
        health: Health,
        since: u64,
        retry: Option<Duration>,
    ) -> Self {
        Self {
            profile: &context.profile,
            parsed: &context.parsed,
            state: machine.state(),
            health,
            since,
            retry,
        }
    }
}

pub fn picture(it: &Picture) -> Status {
    let phase = it.state.phase();
    let unverified = phase == Phase::Connected && !it.health.verified;
    let stage = match it.state {
        State::Starting { stage, .. } => Some(stage.words()),
        _ => None,
    };
    let seconds = it.retry.map(|left| left.as_secs_f64().ceil() as u64);
    let failure = it.state.failure().cloned();
    let words = words::state(phase, stage, it.state.attempt(), seconds, failure.as_ref());
    Status {
        profile: it.profile.clone(),
        phase,
        degraded: false,
        unverified,
        blocking: false,
        words: if unverified { format!("{words} — not verified") } else { words },
        sentence: sentence(it),
        since: it.since,
        attempt: it.state.attempt(),
        next_retry: it.retry.map(|left| (live::now() + left.as_millis() as u64 + 500) / 1000 * 1000),
        failure,
        conflicts: vec![],
        round_trip: it.health.round_trip.filter(|_| phase == Phase::Connected).map(|time| time.0 as u32),
    }
}

fn sentence(it: &Picture) -> String {
    let (what, way) = (networks(it.parsed), way(it.parsed));
    match (it.state, it.state.failure()) {
        (State::Up, _) => format!("Traffic to {what} goes {way}."),
        (_, Some(failure)) => failure.cause.clone(),
        _ => format!("Traffic to {what} would go {way}."),
    }
}

fn networks(parsed: &Parsed) -> String {
    match &parsed.include[..] {
        [] => "no networks".to_owned(),
        [(_, one)] => one.to_string(),
        many => format!("{} networks", many.len()),
    }
}

fn way(parsed: &Parsed) -> String {
    match &parsed.server {
        Some(server) => format!("through {}", Server::host(server)),
        None => "through the agent on this computer".to_owned(),
    }
}
