//! The state as people see it: the machine's value, put into words.

use std::time::Duration;

use super::{
    closed,
    machine::{Machine, State},
    up::Context,
};
use crate::{
    api::{Conflict, Failure, Phase, Status},
    link::Health,
    live,
    profile::{Parsed, Server},
    words,
};

/// All that the picture shows.
pub struct Picture<'a> {
    pub context: &'a Context,
    pub machine: &'a Machine,
    pub health: Health,
    pub since: u64,
    pub retry: Option<Duration>,
    pub conflicts: &'a [Conflict],
    /// What the next attempt goes by.
    pub next: &'a Context,
    /// What just happened, and is no reason to be anything but connected.
    pub note: Option<&'a Failure>,
}

pub fn picture(it: &Picture) -> Status {
    let state = it.machine.state();
    let phase = state.phase();
    let up = phase == Phase::Connected;
    Status {
        profile: it.context.profile.clone(),
        phase,
        degraded: false,
        unverified: up && !it.health.verified,
        blocking: it.machine.is_blocking(),
        outdated: phase != Phase::Off
            && it.next.invalid.is_none()
            && !it.next.parsed.runs_as(&it.context.parsed),
        words: words(it),
        sentence: sentence(it),
        since: it.since,
        attempt: state.attempt(),
        next_retry: it.retry.map(|left| (live::now() + left.as_millis() as u64 + 500) / 1000 * 1000),
        failure: state.failure().or(it.note.filter(|_| up)).cloned(),
        conflicts: if up { it.conflicts.to_vec() } else { vec![] },
        round_trip: it.health.round_trip.filter(|_| up).map(|time| time.0 as u32),
    }
}

fn words(it: &Picture) -> String {
    let state = it.machine.state();
    let held = it.machine.is_blocking().then(|| closed::words(&it.context.parsed));
    let more = match (state, held) {
        (State::Up, _) if !it.health.verified => Some("not verified".to_owned()),
        // how far the first login has come is what people wait for; from then on it is what they do without
        (State::Starting { stage, again, .. }, held) => {
            held.filter(|_| *again).or_else(|| Some(stage.words().to_owned()))
        }
        (_, held) => held,
    };
    let seconds = it.retry.map(|left| left.as_secs_f64().ceil() as u64);
    words::state(state.phase(), more.as_deref(), state.attempt(), seconds, state.failure())
}

fn sentence(it: &Picture) -> String {
    let parsed = &it.context.parsed;
    let (what, way) = (networks(parsed), way(parsed));
    let usual = match (it.machine.state(), it.machine.state().failure()) {
        (State::Up, _) => format!("Traffic to {what} goes {way}."),
        (_, Some(failure)) => failure.cause.clone(),
        _ => format!("Traffic to {what} would go {way}."),
    };
    if !it.machine.is_blocking() {
        return usual;
    }
    let held = closed::words(parsed);
    format!("{usual} Until it is connected, {held}; disconnect to let it go its usual way.")
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

#[cfg(test)]
mod tests;
