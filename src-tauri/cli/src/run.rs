//! `ropeway run`: one tunnel, told line by line.

use std::process::ExitCode;

use ropeway_engine::{
    Engine, Setup, Subscription,
    api::{Command, Event, Failure, Interest, Phase, ProfileId, Reply, Status},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Run;

/// Runs until told to end. Fails when the tunnel stops for good.
pub fn run(run: Run) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ropeway: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(tunnel(run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn tunnel(run: Run) -> Result<(), Failure> {
    let setup = Setup::of_user().map_err(internal)?;
    let mut signals = (
        signal(SignalKind::interrupt()).map_err(internal)?,
        signal(SignalKind::terminate()).map_err(internal)?,
    );
    let engine = Engine::start(setup)?;
    let mut events = engine.subscribe(Interest::default());
    let result = tokio::select! {
        result = follow(&engine, run, &mut events) => result,
        _ = signals.0.recv() => Ok(()),
        _ = signals.1.recv() => Ok(()),
    };
    engine.shutdown().await;
    result
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
            step(&ours, status, &mut last)?;
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
}

fn step(_: &ProfileId, status: Status, last: &mut Line) -> Result<(), Failure> {
    if let (Phase::Error, Some(failure)) = (status.phase, &status.failure) {
        return Err(failure.clone());
    }
    let counting =
        status.next_retry.is_some() && last.phase == Some(status.phase) && last.failure == status.failure;
    let line = Line { phase: Some(status.phase), words: status.words, failure: status.failure };
    if status.phase == Phase::Off || counting || line == *last {
        return Ok(());
    }
    println!("{}", line.words);
    if let Some(failure) = line.failure.as_ref().filter(|_| last.failure != line.failure) {
        tell(failure);
    }
    *last = line;
    Ok(())
}

fn tell(failure: &Failure) {
    let code = serde_json::to_value(failure.code).unwrap_or_default();
    eprintln!("{}: {}", code.as_str().unwrap_or("E-INTERNAL"), failure.title);
    for line in [&failure.cause, &failure.detail].into_iter().filter(|line| !line.is_empty()) {
        eprintln!("  {}", line.trim().replace('\n', "\n  "));
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ropeway_engine::api::Code::Internal, "ropeway", error.to_string())
}
