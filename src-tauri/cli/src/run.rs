//! `ropeway run`: one tunnel, told line by line.

use std::{io, process::ExitCode};

use ropeway_engine::{
    Engine, Setup, Subscription,
    api::{Command, Conflict, Event, Failure, Interest, Phase, Reply, Status},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::Run,
    say::{internal, print, tell},
};

/// Runs until told to end. Fails when the tunnel stops for good.
pub fn run(run: Run) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            print(io::stderr(), &format!("ropeway: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(tunnel(run));
    // a thread that is still at something must not hold up the end
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn tunnel(run: Run) -> Result<(), Failure> {
    let setup = Setup::of_user().map_err(internal)?;
    let mut requests = Requests::new().map_err(internal)?;
    let engine = Engine::start(setup)?;
    let mut events = engine.subscribe(Interest::default());
    let result = tokio::select! {
        result = follow(&engine, run, &mut events) => result,
        () = requests.next() => Ok(()),
    };
    // whoever asks a second time does not want to wait: helper and guards clear up after an engine that is gone
    tokio::select! {
        () = engine.shutdown() => {}
        () = requests.next() => {}
    }
    result
}

/// To end: Ctrl-C, or a service manager's word.
struct Requests {
    interrupt: Signal,
    terminate: Signal,
}

impl Requests {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Prints each state; ends only with a failure that will not pass by itself.
async fn follow(engine: &Engine, run: Run, events: &mut Subscription) -> Result<(), Failure> {
    let reply = engine.command(Command::Run { profile: run.profile() }).await?;
    let Reply::Running { profile: ours } = reply else { return Err(internal("no tunnel")) };
    let mut last = Line::default();
    while let Some(event) = events.next().await {
        if let Event::Status { status } = event
            && status.profile == ours
        {
            step(status, &mut last)?;
        }
    }
    Ok(())
}

/// What was printed last; a countdown is not news.
#[derive(Default, PartialEq)]
struct Line {
    phase: Option<Phase>,
    words: String,
    failure: Option<Failure>,
    conflicts: Vec<Conflict>,
}

fn step(status: Status, last: &mut Line) -> Result<(), Failure> {
    if let (Phase::Error, Some(failure)) = (status.phase, &status.failure) {
        return Err(failure.clone());
    }
    let counting =
        status.next_retry.is_some() && last.phase == Some(status.phase) && last.failure == status.failure;
    let Status { phase, words, failure, conflicts, .. } = status;
    let line = Line { phase: Some(phase), words, failure, conflicts };
    if phase == Phase::Off || counting || line == *last {
        return Ok(());
    }
    // what happened while connected is told; that it was a while ago is not
    if line.words != last.words || line.phase != Some(Phase::Connected) {
        print(io::stdout(), &line.words);
    }
    if let Some(failure) = line.failure.as_ref().filter(|_| last.failure != line.failure) {
        tell(failure);
    }
    for Conflict { subnet, holder } in line.conflicts.iter().filter(|it| !last.conflicts.contains(it)) {
        print(io::stdout(), &format!("{subnet} goes another way: {holder} has it already"));
    }
    *last = line;
    Ok(())
}
