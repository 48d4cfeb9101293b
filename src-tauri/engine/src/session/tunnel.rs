//! The task of one profile: feeds the machine, does what it says, publishes the state.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
    time::{Instant, interval, sleep_until},
};

use super::{
    machine::{Effect, Input, Machine},
    picture::{Picture, picture},
    up::{self, Context, Progress},
};
use crate::{
    api::{Code, Event, Failure, Status},
    hub::Hub,
    link::Health,
    live,
};

/// The countdown in the words changes this often.
const COUNTDOWN: Duration = Duration::from_secs(1);

/// A handle; the task ends when it is dropped and everything is down.
pub struct Tunnel {
    asks: UnboundedSender<Ask>,
    status: Arc<Mutex<Status>>,
}

enum Ask {
    Connect(Arc<Context>),
    Disconnect(oneshot::Sender<()>),
}

impl Tunnel {
    /// Off, until asked.
    pub fn new(context: Arc<Context>, hub: Arc<Hub>) -> Self {
        let (asks, receiver) = unbounded_channel();
        let mut task = Task::new(context, hub);
        let status = task.status.clone();
        tokio::spawn(async move { task.run(receiver).await });
        Self { asks, status }
    }

    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins, with what the profile says now; nothing when it is on already.
    pub fn connect(&self, context: Arc<Context>) {
        let _ = self.asks.send(Ask::Connect(context));
    }

    /// Returns when everything is gone.
    pub fn disconnect(&self) -> impl Future<Output = ()> + use<> {
        let (done, gone) = oneshot::channel();
        let _ = self.asks.send(Ask::Disconnect(done));
        async move {
            let _ = gone.await;
        }
    }
}

struct Task {
    machine: Machine,
    context: Arc<Context>,
    /// What the next start uses: the profile may have been edited while the tunnel was up.
    next: Arc<Context>,
    attempt: Option<Attempt>,
    retry: Option<Instant>,
    health: Health,
    since: u64,
    waiting: Vec<oneshot::Sender<()>>,
    status: Arc<Mutex<Status>>,
    hub: Arc<Hub>,
}

struct Attempt {
    end: JoinHandle<Result<(), Failure>>,
    progress: UnboundedReceiver<Progress>,
    cancel: Arc<Notify>,
}

/// What the task woke up for.
enum Wake {
    Ask(Option<Ask>),
    Progress(Progress),
    Ended(Result<(), Failure>),
    Retry,
    Second,
}

impl Task {
    fn new(context: Arc<Context>, hub: Arc<Hub>) -> Self {
        let (machine, health, since) = (Machine::default(), Health::default(), live::now());
        let status = Arc::new(Mutex::new(picture(&Picture::new(&context, &machine, health, since, None))));
        Self {
            machine,
            next: context.clone(),
            context,
            attempt: None,
            retry: None,
            health,
            since,
            waiting: vec![],
            status,
            hub,
        }
    }

    /// Until the handle is gone and nothing runs.
    async fn run(&mut self, mut asks: UnboundedReceiver<Ask>) {
        let mut seconds = interval(COUNTDOWN);
        loop {
            let retry = self.retry;
            let wake = tokio::select! {
                ask = asks.recv() => Wake::Ask(ask),
                wake = next_of(&mut self.attempt), if self.attempt.is_some() => wake,
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => Wake::Retry,
                _ = seconds.tick(), if retry.is_some() => Wake::Second,
            };
            if matches!(wake, Wake::Ask(None)) {
                return self.wind_up().await;
            }
            self.on(wake);
            self.publish();
        }
    }

    fn on(&mut self, wake: Wake) {
        match wake {
            Wake::Ask(Some(Ask::Connect(context))) => {
                self.next = context;
                self.feed(Input::Connect);
            }
            Wake::Ask(Some(Ask::Disconnect(done))) => {
                self.waiting.push(done);
                self.feed(Input::Disconnect);
            }
            Wake::Progress(Progress::Reached(stage)) => self.feed(Input::Reached(stage)),
            Wake::Progress(Progress::Up) => self.feed(Input::Up),
            Wake::Progress(Progress::RulesLost(failure)) => self.feed(Input::RulesLost(failure)),
            Wake::Progress(Progress::Health(health)) => self.health = health,
            Wake::Ended(result) => {
                self.attempt = None;
                self.feed(Input::Ended(result));
            }
            Wake::Retry => {
                self.retry = None;
                self.feed(Input::RetryDue);
            }
            Wake::Second | Wake::Ask(None) => {}
        }
    }

    fn feed(&mut self, input: Input) {
        let before = self.machine.state().phase();
        for effect in self.machine.on(input, self.context.random()) {
            match effect {
                Effect::Start => self.start(),
                Effect::Cancel => self.attempt.iter().for_each(|attempt| attempt.cancel.notify_one()),
                Effect::Wait(pause) => self.retry = Some(Instant::now() + pause),
                Effect::CancelWait => self.retry = None,
            }
        }
        if self.machine.state().phase() != before {
            self.since = live::now();
        }
        if self.attempt.is_none() && self.retry.is_none() {
            for done in self.waiting.drain(..) {
                // nobody waits any more: fine
                let _ = done.send(());
            }
        }
    }

    fn start(&mut self) {
        self.context = self.next.clone();
        self.health = Health::default();
        let (tell, progress) = unbounded_channel();
        let (context, cancel) = (self.context.clone(), Arc::new(Notify::new()));
        let stop = cancel.clone();
        let end = tokio::spawn(async move { up::attempt(&context, &tell, &stop).await });
        self.attempt = Some(Attempt { end, progress, cancel });
    }

    fn publish(&self) {
        let retry = self.retry.map(|at| at.saturating_duration_since(Instant::now()));
        let now = picture(&Picture::new(&self.context, &self.machine, self.health, self.since, retry));
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status != now {
            status.clone_from(&now);
            self.hub.send(&Event::Status { status: now });
        }
    }

    /// The engine has let go of us.
    async fn wind_up(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.cancel.notify_one();
            let _ = attempt.end.await;
        }
    }
}

/// Only polled while there is an attempt.
async fn next_of(attempt: &mut Option<Attempt>) -> Wake {
    let Some(attempt) = attempt else { return std::future::pending().await };
    tokio::select! {
        biased;
        Some(progress) = attempt.progress.recv() => Wake::Progress(progress),
        end = &mut attempt.end => Wake::Ended(end.unwrap_or_else(|panic| {
            Err(Failure::new(Code::Internal, "this computer", panic.to_string()))
        })),
    }
}
