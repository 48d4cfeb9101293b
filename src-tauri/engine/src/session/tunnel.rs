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
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    machine::{Effect, Input, Machine, State},
    picture::{Picture, picture},
    up::{self, Context, Progress},
};
use crate::{
    api::{Code, Event, Failure, Phase, Status},
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
    Toggle(Arc<Context>, oneshot::Sender<()>),
    Change(Arc<Context>),
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

    /// While `look` looks, no newer state is told to anybody.
    pub fn status<T>(&self, look: impl FnOnce(&Status) -> T) -> T {
        look(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins, with what the profile says now; nothing when it is on already.
    pub fn connect(&self, context: Arc<Context>) {
        let _ = self.asks.send(Ask::Connect(context));
    }

    /// Returns when everything is gone.
    pub fn disconnect(&self) -> impl Future<Output = ()> + use<> {
        self.ask(Ask::Disconnect)
    }

    /// Connects when it is off (returns at once), disconnects otherwise (returns when everything is gone).
    pub fn toggle(&self, context: Arc<Context>) -> impl Future<Output = ()> + use<> {
        self.ask(|done| Ask::Toggle(context, done))
    }

    /// The profile was changed: what runs goes on as it is, the next start uses the new one.
    pub fn change(&self, context: Arc<Context>) {
        let _ = self.asks.send(Ask::Change(context));
    }

    fn ask<A: FnOnce(oneshot::Sender<()>) -> Ask>(&self, ask: A) -> impl Future<Output = ()> + use<A> {
        let (done, is_done) = oneshot::channel();
        let _ = self.asks.send(ask(done));
        async move {
            let _ = is_done.await;
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
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
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
            Wake::Ask(Some(ask)) => self.obey(ask),
            Wake::Progress(Progress::Reached(stage)) => self.feed(Input::Reached(stage)),
            Wake::Progress(Progress::Up) => self.feed(Input::Up),
            Wake::Progress(Progress::RulesLost(failure)) => self.feed(Input::RulesLost(failure)),
            Wake::Progress(Progress::Health(health)) => self.health = health,
            Wake::Ended(result) => self.ended(result),
            Wake::Retry => {
                self.retry = None;
                self.feed(Input::RetryDue);
            }
            Wake::Second | Wake::Ask(None) => {}
        }
    }

    fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Connect(context) => {
                self.next = context;
                self.feed(Input::Connect);
            }
            Ask::Disconnect(done) => {
                self.waiting.push(done);
                self.feed(Input::Disconnect);
            }
            Ask::Toggle(context, done)
                if matches!(self.machine.state().phase(), Phase::Off | Phase::Error) =>
            {
                self.obey(Ask::Connect(context));
                let _ = done.send(());
            }
            Ask::Toggle(_, done) => self.obey(Ask::Disconnect(done)),
            Ask::Change(context) => self.change(context),
        }
    }

    /// A failure that the old profile had says nothing of the new one.
    fn change(&mut self, context: Arc<Context>) {
        self.next = context;
        if self.attempt.is_none() && self.retry.is_none() {
            self.context = self.next.clone();
            self.feed(Input::Disconnect);
        }
    }

    /// Everything of the attempt is gone: whoever waited for that hears it, also when the next one begins at once.
    fn ended(&mut self, result: Result<(), Failure>) {
        self.attempt = None;
        self.release();
        self.feed(Input::Ended(result));
    }

    fn release(&mut self) {
        for done in self.waiting.drain(..) {
            // nobody waits any more: fine
            let _ = done.send(());
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
            self.release();
        }
    }

    fn start(&mut self) {
        self.context = self.next.clone();
        self.health = Health::default();
        if matches!(self.machine.state(), State::Starting { again: false, .. }) {
            self.context.tools.table.begin(&self.context.profile);
        }
        let (tell, progress) = unbounded_channel();
        let (context, cancel) = (self.context.clone(), Arc::new(Notify::new()));
        let stop = cancel.clone();
        let end = tokio::spawn(whole_attempt(context, tell, stop));
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
        end = &mut attempt.end => Wake::Ended(end.unwrap_or_else(|panic| Err(broken(&panic)))),
    }
}

/// An attempt that ends by a mistake of ours takes nothing down; at least the rules must go before it counts as ended.
async fn whole_attempt(
    context: Arc<Context>,
    tell: UnboundedSender<Progress>,
    stop: Arc<Notify>,
) -> Result<(), Failure> {
    let inner = context.clone();
    match tokio::spawn(async move { up::attempt(&inner, &tell, &stop).await }).await {
        Ok(result) => result,
        Err(panic) => {
            context.tools.helper.unload(context.session).await;
            Err(broken(&panic))
        }
    }
}

fn broken(panic: &JoinError) -> Failure {
    Failure::new(Code::Internal, "this computer", panic.to_string())
}
