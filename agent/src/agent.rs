//! The loop: sleep, take what the poll says, let the mux and the targets settle, sleep again.
//!
//! It only passes things on: what a connection does lives in [`crate::target`], bytes of the pipe in
//! [`crate::pipe`], the protocol in `ropeway_mux`.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};
use ropeway_mux::{Config, Connection, Event, Micros, Role};

use crate::clock::Clock;
use crate::errands::Errands;
use crate::fatal::{Fatal, while_doing};
use crate::pipe::{Pipe, STDIN, STDOUT};
use crate::processor;
use crate::targets::Targets;

/// Events taken in one turn. All that are ready make a turn longer, fewer make more turns; nothing is lost.
const EVENTS: usize = 256;

/// Everything one agent has.
pub struct Agent {
    poll: Poll,
    clock: Clock,
    mux: Connection,
    pipe: Pipe,
    targets: Targets,
    errands: Errands,
}

impl Agent {
    pub fn new() -> Result<Self, Fatal> {
        let poll = Poll::new().map_err(while_doing("create a poll"))?;
        let pipe = Pipe::new(poll.registry())?;
        let registry = || poll.registry().try_clone().map_err(while_doing("share the poll"));
        let targets = Targets::new(registry()?);
        let errands = Errands::new([registry()?, registry()?, registry()?, registry()?]);
        Ok(Self {
            clock: Clock::start(),
            mux: Connection::new(Config { hardware_aes: processor::has_aes(), ..Config::new(Role::Agent) }),
            pipe,
            targets,
            errands,
            poll,
        })
    }

    /// Serves until the client closes the pipe. Every connection then ends with it.
    pub fn run(mut self) -> Result<(), Fatal> {
        let mut events = Events::with_capacity(EVENTS);
        self.settle()?;
        while !self.pipe.is_closed() {
            self.sleep(&mut events)?;
            self.expire();
            events.iter().for_each(|event| self.dispatch(event));
            self.receive()?;
            self.settle()?;
        }
        Ok(())
    }

    fn sleep(&mut self, events: &mut Events) -> Result<(), Fatal> {
        let patience = self.patience();
        match self.poll.poll(events, patience) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(while_doing("poll")(error)),
            _ => Ok(()),
        }
    }

    /// How long nothing may happen: for ever, when nothing has a deadline.
    fn patience(&mut self) -> Option<Duration> {
        if self.pipe.has_more() {
            return Some(Duration::ZERO);
        }
        let deadlines =
            [self.mux.next_deadline(), self.targets.next_deadline(), self.errands.next_deadline()];
        deadlines.into_iter().flatten().min().map(|deadline| self.clock.until(deadline))
    }

    fn expire(&mut self) {
        let now = self.clock.now();
        self.mux.expire(now);
        self.targets.expire(&mut self.mux, now);
        self.errands.expire(&mut self.mux, now);
    }

    fn dispatch(&mut self, event: &mio::event::Event) {
        match event.token() {
            STDIN | STDOUT => self.pipe.note(event),
            token if Errands::own(token) => self.errands.on_ready(token, &mut self.mux, self.clock.now()),
            _ => self.targets.on_ready(event, &mut self.mux, self.clock.now()),
        }
    }

    /// At most one buffer, so that answers do not wait for all questions.
    fn receive(&mut self) -> Result<(), Fatal> {
        let Self { pipe, mux, targets, errands, clock, .. } = self;
        let mut input = pipe.read()?;
        if input.is_empty() {
            return Ok(());
        }
        let now = clock.now();
        while let Some(event) = mux.receive(&mut input, now)? {
            obey(&event, targets, errands, mux, now);
        }
        Ok(())
    }

    /// Until nothing moves. The mux's in-flight limit bounds it.
    fn settle(&mut self) -> Result<(), Fatal> {
        while self.pipe.send(&mut self.mux, self.clock.now(), &mut self.targets)? {}
        Ok(())
    }
}

fn obey(event: &Event, targets: &mut Targets, errands: &mut Errands, mux: &mut Connection, now: Micros) {
    match *event {
        Event::Incoming { id, target } => targets.open(id, target, mux, now),
        Event::Data { id, data } => targets.on_data(id, data, mux, now),
        Event::Eof { id } => targets.on_eof(id, mux, now),
        Event::Reset { id, .. } => targets.abort(id),
        Event::Datagram { flow, ref data } => errands.on_datagram(flow, data.clone(), mux, now),
        Event::Control { kind, ref data } => errands.on_control(kind, data.clone(), mux, now),
        // the first two belong to the client's role
        Event::Opened { .. } | Event::Refused { .. } | Event::Ready | Event::Pong { .. } => {}
    }
}
