//! The session machine: inputs in, effects out. No clock, no I/O; the states are those that people see.

use std::time::Duration;

use super::backoff;
use crate::api::{Code, Failure, Phase};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Somebody wants it connected.
    Connect,
    /// Somebody wants it off.
    Disconnect,
    /// The running attempt has come this far.
    Reached(Stage),
    /// Rules are in place: traffic goes through.
    Up,
    /// The rules are gone, the login lives; the attempt goes on and puts them back.
    RulesLost(Failure),
    /// What the profile wants closed is closed now, whatever becomes of the tunnel.
    Closed,
    /// The attempt has ended, and everything it had made is gone, but what is closed.
    Ended(Result<(), Failure>),
    /// What was closed is open again; or not, and then it stays closed.
    Opened(Result<(), Failure>),
    /// The pause is over.
    RetryDue,
}

/// What to do about it, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Begin an attempt; its course comes back as inputs.
    Start,
    /// End the running attempt; `Ended` comes when it is gone.
    Cancel,
    /// Feed `RetryDue` after this pause.
    Wait(Duration),
    /// Forget the pause.
    CancelWait,
    /// Open what is closed; `Opened` comes when that is done. Never while an attempt runs.
    Open,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    SigningIn,
    StartingAgent,
    LoadingRules,
}

/// The one value of a tunnel's state.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    Off,
    /// An attempt is on its way; `again` = it was up before.
    Starting {
        stage: Stage,
        again: bool,
        attempt: u32,
        failure: Option<Failure>,
    },
    Up,
    /// Up, but without rules for the moment.
    Mending {
        failure: Failure,
    },
    /// Lost; the next try comes after the pause.
    Pausing {
        attempt: u32,
        pause: Duration,
        failure: Failure,
    },
    /// The attempt is on its way out; then comes off, or (`connect`) a new start.
    Stopping {
        connect: bool,
    },
    /// What was closed is being opened; then as above.
    Opening {
        connect: bool,
    },
    /// Will not go on by itself.
    Failed {
        failure: Failure,
    },
}

/// A tunnel's machine.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// Fail closed: from the first `Closed` to `Opened`, over every loss and every new start.
    closed: bool,
}

impl Stage {
    pub fn words(self) -> &'static str {
        match self {
            Self::SigningIn => "signing in",
            Self::StartingAgent => "starting the agent",
            Self::LoadingRules => "setting up routes",
        }
    }
}

impl State {
    pub fn phase(&self) -> Phase {
        match self {
            Self::Off | Self::Stopping { connect: false } | Self::Opening { connect: false } => Phase::Off,
            Self::Starting { again: false, .. }
            | Self::Stopping { connect: true }
            | Self::Opening { connect: true } => Phase::Connecting,
            Self::Starting { again: true, .. } | Self::Pausing { .. } | Self::Mending { .. } => {
                Phase::Reconnecting
            }
            Self::Up => Phase::Connected,
            Self::Failed { .. } => Phase::Error,
        }
    }

    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Starting { failure, .. } => failure.as_ref(),
            Self::Mending { failure } | Self::Pausing { failure, .. } | Self::Failed { failure } => {
                Some(failure)
            }
            Self::Off | Self::Up | Self::Stopping { .. } | Self::Opening { .. } => None,
        }
    }

    pub fn attempt(&self) -> u32 {
        match self {
            Self::Starting { attempt, .. } | Self::Pausing { attempt, .. } => *attempt,
            _ => 0,
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self { state: State::Off, closed: false }
    }
}

impl Machine {
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether something is kept closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether traffic is held because there is no tunnel for it.
    pub fn is_blocking(&self) -> bool {
        self.closed && !matches!(self.state.phase(), Phase::Connected | Phase::Off)
    }

    /// `random` spreads the pauses, see [`backoff::pause`].
    pub fn on(&mut self, input: Input, random: u32) -> Vec<Effect> {
        match &input {
            Input::Closed => self.closed = true,
            Input::Opened(Ok(())) => self.closed = false,
            _ => {}
        }
        let (state, mut effects) = next(std::mem::replace(&mut self.state, State::Off), input, random);
        self.state = state;
        // nobody is off while something of theirs is closed
        if self.closed && self.state == State::Off {
            self.state = State::Opening { connect: false };
            effects.push(Effect::Open);
        }
        effects
    }
}

/// Goes on by itself: the network or the server was away. Everything else needs a person first.
fn passes_by_itself(code: Code) -> bool {
    matches!(
        code,
        Code::ServerName
            | Code::ServerUnreachable
            | Code::Ssh
            | Code::SshEnded
            | Code::AgentEnded
            | Code::HelperGone
            | Code::HelperBusy
            | Code::Firewall
            | Code::Protocol
    )
}

fn next(state: State, input: Input, random: u32) -> (State, Vec<Effect>) {
    match input {
        Input::Connect => connect(state),
        Input::Disconnect => disconnect(state),
        Input::Reached(stage) => (reached(state, stage), vec![]),
        Input::Up => (up(state), vec![]),
        Input::RulesLost(failure) => (rules_lost(state, failure), vec![]),
        Input::Closed => (state, vec![]),
        Input::Ended(result) => ended(state, result, random),
        Input::Opened(result) => opened(state, result),
        Input::RetryDue => retry(state),
    }
}

fn connect(state: State) -> (State, Vec<Effect>) {
    match state {
        State::Off | State::Failed { .. } => (first(), vec![Effect::Start]),
        State::Pausing { attempt, failure, .. } => {
            (again(attempt, failure), vec![Effect::CancelWait, Effect::Start])
        }
        State::Stopping { .. } => (State::Stopping { connect: true }, vec![]),
        State::Opening { .. } => (State::Opening { connect: true }, vec![]),
        running => (running, vec![]),
    }
}

#[allow(clippy::needless_pass_by_value)] // every transition consumes the state that it leaves
fn disconnect(state: State) -> (State, Vec<Effect>) {
    match state {
        State::Off | State::Failed { .. } => (State::Off, vec![]),
        State::Pausing { .. } => (State::Off, vec![Effect::CancelWait]),
        State::Stopping { .. } => (State::Stopping { connect: false }, vec![]),
        State::Opening { .. } => (State::Opening { connect: false }, vec![]),
        State::Starting { .. } | State::Up | State::Mending { .. } => {
            (State::Stopping { connect: false }, vec![Effect::Cancel])
        }
    }
}

fn reached(state: State, stage: Stage) -> State {
    match state {
        State::Starting { again, attempt, failure, .. } => State::Starting { stage, again, attempt, failure },
        other => other,
    }
}

fn up(state: State) -> State {
    match state {
        State::Starting { .. } | State::Mending { .. } => State::Up,
        other => other,
    }
}

fn rules_lost(state: State, failure: Failure) -> State {
    match state {
        State::Up | State::Mending { .. } => State::Mending { failure },
        other => other,
    }
}

#[allow(clippy::needless_pass_by_value)] // as above
fn ended(state: State, result: Result<(), Failure>, random: u32) -> (State, Vec<Effect>) {
    let failure = match (result, &state) {
        (_, State::Stopping { connect: true }) => return (first(), vec![Effect::Start]),
        (_, State::Stopping { connect: false } | State::Off) | (Ok(()), _) => return (State::Off, vec![]),
        (Err(failure), _) => failure,
    };
    // The first try answers at once: somebody is watching. A tunnel that was up comes back by itself.
    let attempt = match state {
        State::Up | State::Mending { .. } => 1,
        State::Starting { again: true, attempt, .. } => attempt + 1,
        _ => return (State::Failed { failure }, vec![]),
    };
    if !passes_by_itself(failure.code) {
        return (State::Failed { failure }, vec![]);
    }
    let pause = backoff::pause(attempt, random);
    (State::Pausing { attempt, pause, failure }, vec![Effect::Wait(pause)])
}

/// What stays closed is told: its owner is not off before it is open.
fn opened(state: State, result: Result<(), Failure>) -> (State, Vec<Effect>) {
    match (state, result) {
        (State::Opening { connect: true }, _) => (first(), vec![Effect::Start]),
        (State::Opening { connect: false }, Ok(())) => (State::Off, vec![]),
        (State::Opening { connect: false }, Err(failure)) => (State::Failed { failure }, vec![]),
        (other, _) => (other, vec![]),
    }
}

fn retry(state: State) -> (State, Vec<Effect>) {
    match state {
        State::Pausing { attempt, failure, .. } => (again(attempt, failure), vec![Effect::Start]),
        other => (other, vec![]),
    }
}

fn first() -> State {
    State::Starting { stage: Stage::SigningIn, again: false, attempt: 1, failure: None }
}

fn again(attempt: u32, failure: Failure) -> State {
    State::Starting { stage: Stage::SigningIn, again: true, attempt, failure: Some(failure) }
}

#[cfg(test)]
mod tests;
