//! `ropeway run`: one tunnel, told line by line.

use std::{io, process::ExitCode, time::Duration};

use ropeway_engine::{
    Engine, Setup, Subscription,
    api::{Command, Conflict, Event, Failure, Interest, Phase, ProfileId, Reply, Status},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::interval,
};

use crate::{
    args::Run,
    say::{internal, print, tell},
    service::Running,
};

/// Who asked for more words can wait so long for what went around.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// Runs until told to end. Fails when the tunnel stops for good.
pub fn run(run: Run, service: Running, verbose: bool) -> ExitCode {
    until_told(tunnel(run, service, verbose))
}

/// Runs it, and tells of its failure.
pub fn until_told(work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print(io::stderr(), &format!("ropeway: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(work);
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

async fn tunnel(run: Run, mut service: Running, verbose: bool) -> Result<(), Failure> {
    if let Some(notice) = run.reach.notice() {
        print(io::stderr(), notice);
    }
    let setup = Setup::of_user().map_err(internal)?;
    let fail_closed = run.fail_closed.is_some();
    let mut requests = Requests::new().map_err(internal)?;
    let engine = Engine::start(setup)?;
    let mut events = engine.subscribe(Interest::default());
    let mut leaks = Around::default();
    let result = tokio::select! {
        result = follow(&engine, run, &mut service, &mut events, (&mut leaks, verbose)) => result,
        () = requests.next() => Ok(()),
    };
    // whoever asks a second time does not want to wait: helper and guards clear up after an engine that is gone, but for
    // what is held
    let open = tokio::select! {
        open = async { (engine.shutdown().await, leaks.tell(&engine).await).0 } => open,
        () = requests.next() => !fail_closed,
    };
    if !open {
        print(io::stderr(), STILL_HELD);
    }
    result.and(if open { Ok(()) } else { Err(internal("the tunnel ended, and its traffic is still held")) })
}

/// For who wanted to end, and could not wait or was not heard.
const STILL_HELD: &str = "Traffic is still held. `ropeway restore-network` lets it through again.";

/// To end: Ctrl-C, or a service manager's word.
pub struct Requests {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is closed; None where somebody (`nohup`) wants us to outlive that.
    hang_up: Option<Signal>,
}

impl Requests {
    pub fn new() -> io::Result<Self> {
        let hang_up = (!ignores_hang_up()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hang_up) => {}
        }
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Linux says so in a bit mask of which SIGHUP, number 1, is the lowest bit; where it is not said, nobody does.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Prints each state; ends only with a failure that will not pass by itself.
async fn follow(
    engine: &Engine,
    run: Run,
    service: &mut Running,
    events: &mut Subscription,
    (leaks, verbose): (&mut Around, bool),
) -> Result<(), Failure> {
    let reply = engine.command(Command::Run { profile: run.profile() }).await?;
    let Reply::Running { profile: ours } = reply else { return Err(internal("no tunnel")) };
    leaks.profile = Some(ours.clone());
    let (mut last, mut told) = (Line::default(), false);
    let mut looks = interval(BETWEEN_LOOKS);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Status { status }) if status.profile == ours => {
                    let up = status.phase == Phase::Connected;
                    step(status, &mut last)?;
                    if up && !told {
                        told = true;
                        service.connected().map_err(internal)?;
                    }
                }
                Some(_) => {}
                None => return Ok(()),
            },
            _ = looks.tick(), if verbose => leaks.tell(engine).await,
        }
    }
}

/// What went around the tunnel, as far as it was told.
#[derive(Default)]
struct Around {
    profile: Option<ProfileId>,
    told: String,
}

impl Around {
    /// When there is something to tell, and it is news.
    async fn tell(&mut self, engine: &Engine) {
        let Some(profile) = self.profile.clone() else { return };
        let Ok(Reply::Leaks { leaks }) = engine.command(Command::Leaks { profile }).await else { return };
        if leaks.sentence != self.told {
            print(io::stdout(), &leaks.sentence);
            self.told = leaks.sentence;
        }
    }
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
