//! The task of one profile: feeds the machine, does what it says, publishes the state.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ropeway_helper_api::SessionId;
use tokio::{
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    task::{JoinError, JoinHandle},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    machine::{Effect, Input, Machine, State},
    picture::{Picture, picture},
    up::{self, Context, Edits, Progress},
};
use crate::{
    api::{Code, Conflict, Event, Failure, Phase, Status},
    hub::Hub,
    link::Health,
    live,
    profile::Parsed,
};

/// The countdown in the words changes this often.
const COUNTDOWN: Duration = Duration::from_secs(1);

/// How long something is told that was mended at once: a notification can be read, and it is not there for ever.
const NOTE: Duration = Duration::from_secs(10);

/// A handle; the task ends when it is dropped and everything is down.
pub struct Tunnel {
    session: SessionId,
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
        let session = context.session;
        let mut task = Task::new(context, hub);
        let status = task.status.clone();
        tokio::spawn(async move { task.run(receiver).await });
        Self { session, asks, status }
    }

    /// What the helper knows it by.
    pub fn session(&self) -> SessionId {
        self.session
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

    /// The profile was changed: networks and names of what runs follow it at once, the next start uses the rest.
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
    /// What was closed is being opened.
    opening: Option<JoinHandle<Result<(), Failure>>>,
    retry: Option<Instant>,
    health: Health,
    conflicts: Vec<Conflict>,
    /// Something to tell beside the state, and until when.
    note: Option<(Failure, Instant)>,
    since: u64,
    waiting: Vec<oneshot::Sender<()>>,
    status: Arc<Mutex<Status>>,
    hub: Arc<Hub>,
}

struct Attempt {
    end: JoinHandle<Result<(), Failure>>,
    progress: UnboundedReceiver<Progress>,
    edits: watch::Sender<Arc<Parsed>>,
    cancel: Arc<Notify>,
}

/// What the task woke up for.
enum Wake {
    Ask(Option<Ask>),
    Progress(Progress),
    Ended(Result<(), Failure>),
    Opened(Result<(), Failure>),
    Retry,
    Second,
    NoteOver,
}

impl Task {
    fn new(context: Arc<Context>, hub: Arc<Hub>) -> Self {
        let (machine, health, since) = (Machine::default(), Health::default(), live::now());
        let status = picture(&Picture {
            context: &context,
            next: &context,
            machine: &machine,
            health,
            since,
            retry: None,
            conflicts: &[],
            note: None,
        });
        Self {
            machine,
            next: context.clone(),
            context,
            attempt: None,
            opening: None,
            retry: None,
            health,
            conflicts: vec![],
            note: None,
            since,
            waiting: vec![],
            status: Arc::new(Mutex::new(status)),
            hub,
        }
    }

    /// Until the handle is gone and nothing runs.
    async fn run(&mut self, mut asks: UnboundedReceiver<Ask>) {
        let mut seconds = interval(COUNTDOWN);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let (retry, note) = (self.retry, self.note.as_ref().map(|(_, until)| *until));
            let wake = tokio::select! {
                ask = asks.recv() => Wake::Ask(ask),
                wake = next_of(&mut self.attempt), if self.attempt.is_some() => wake,
                opened = end_of(&mut self.opening), if self.opening.is_some() => Wake::Opened(opened),
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => Wake::Retry,
                _ = seconds.tick(), if retry.is_some() => Wake::Second,
                () = sleep_until(note.unwrap_or_else(Instant::now)), if note.is_some() => Wake::NoteOver,
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
            Wake::Progress(progress) => self.note_progress(progress),
            Wake::Ended(result) => self.ended(result),
            Wake::Opened(result) => {
                self.opening = None;
                self.feed(Input::Opened(result));
            }
            Wake::Retry => {
                self.retry = None;
                self.begin(Input::RetryDue);
            }
            Wake::NoteOver => self.note = None,
            Wake::Second | Wake::Ask(None) => {}
        }
    }

    fn note_progress(&mut self, progress: Progress) {
        match progress {
            Progress::Reached(stage) => self.feed(Input::Reached(stage)),
            Progress::Closed => self.feed(Input::Closed),
            Progress::Up(conflicts) => {
                self.conflicts = conflicts;
                self.feed(Input::Up);
            }
            Progress::RulesLost(failure) => self.feed(Input::RulesLost(failure)),
            Progress::Mended => {
                let failure = Failure::new(Code::FirewallGone, "this computer", "");
                self.note = Some((failure, Instant::now() + NOTE));
            }
            Progress::Note(failure) => self.note = Some((failure, Instant::now() + NOTE)),
            Progress::Health(health) => self.health = health,
        }
    }

    fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Connect(context) => {
                self.next = context;
                self.begin(Input::Connect);
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

    /// What the profile kept closed so far is opened first when it is to keep nothing closed any more.
    fn begin(&mut self, input: Input) {
        if self.attempt.is_none() && self.machine.is_closed() && self.next.closed.is_none() {
            self.feed(Input::Disconnect);
            self.feed(Input::Connect);
        } else {
            self.feed(input);
        }
    }

    /// A failure that the old profile had says nothing of the new one; what it keeps closed stays so until somebody
    /// connects or disconnects.
    fn change(&mut self, context: Arc<Context>) {
        self.next = context;
        if let Some(attempt) = &self.attempt
            && self.next.invalid.is_none()
        {
            attempt.edits.send_replace(self.next.parsed.clone());
        }
        if self.is_idle() && !self.machine.is_closed() {
            self.context = self.next.clone();
            self.feed(Input::Disconnect);
        }
    }

    /// Everything of the attempt is gone: whoever waited for that hears it, also when the next one begins at once; not
    /// before what was closed is open, where that comes next.
    fn ended(&mut self, result: Result<(), Failure>) {
        self.attempt = None;
        self.note = None;
        self.feed(Input::Ended(result));
        if self.opening.is_none() {
            self.release();
        }
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
                Effect::Open => self.open(),
            }
        }
        if self.machine.state().phase() != before {
            self.since = live::now();
        }
        if self.is_idle() {
            self.release();
        }
    }

    fn is_idle(&self) -> bool {
        self.attempt.is_none() && self.opening.is_none() && self.retry.is_none()
    }

    fn start(&mut self) {
        self.context = self.next.clone();
        self.health = Health::default();
        if matches!(self.machine.state(), State::Starting { again: false, .. }) {
            self.context.tools.table.begin(&self.context.profile);
        }
        let (tell, progress) = unbounded_channel();
        let (context, cancel) = (self.context.clone(), Arc::new(Notify::new()));
        let (edits, edited) = watch::channel(context.parsed.clone());
        let stop = cancel.clone();
        let end = tokio::spawn(whole_attempt(context, tell, edited, stop));
        self.attempt = Some(Attempt { end, progress, edits, cancel });
    }

    fn open(&mut self) {
        let context = self.context.clone();
        self.opening = Some(tokio::spawn(async move { opened(&context).await }));
    }

    fn publish(&self) {
        let now = picture(&Picture {
            context: &self.context,
            next: &self.next,
            machine: &self.machine,
            health: self.health,
            since: self.since,
            retry: self.retry.map(|at| at.saturating_duration_since(Instant::now())),
            conflicts: &self.conflicts,
            note: self.note.as_ref().map(|(failure, _)| failure),
        });
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status != now {
            status.clone_from(&now);
            self.hub.send(&Event::Status { status: now });
        }
    }

    /// The engine has let go of us.
    async fn wind_up(&mut self) {
        if let Some(mut attempt) = self.attempt.take() {
            attempt.cancel.notify_one();
            let _ = (&mut attempt.end).await;
            while let Ok(progress) = attempt.progress.try_recv() {
                self.note_progress(progress);
            }
        }
        match self.opening.take() {
            Some(opening) => drop(opening.await),
            None if self.machine.is_closed() => drop(opened(&self.context).await),
            None => {}
        }
    }
}

async fn opened(context: &Context) -> Result<(), Failure> {
    match &context.closed {
        Some(closed) => context.tools.helper.lift(context.session, closed.down.clone()).await,
        None => Ok(()),
    }
}

/// Only polled while there is something to open.
async fn end_of(opening: &mut Option<JoinHandle<Result<(), Failure>>>) -> Result<(), Failure> {
    match opening {
        Some(opening) => opening.await.unwrap_or_else(|panic| Err(broken(&panic))),
        None => std::future::pending().await,
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
    edits: Edits,
    stop: Arc<Notify>,
) -> Result<(), Failure> {
    let inner = context.clone();
    match tokio::spawn(async move { up::attempt(&inner, &tell, &edits, &stop).await }).await {
        Ok(result) => result,
        Err(panic) => {
            context.tools.helper.hold(context.session).await;
            Err(broken(&panic))
        }
    }
}

fn broken(panic: &JoinError) -> Failure {
    Failure::new(Code::Internal, "this computer", panic.to_string())
}
