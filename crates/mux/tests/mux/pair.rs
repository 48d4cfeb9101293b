//! A client and an agent, their programs, and the clock.
//!
//! Bytes of a stream are a function of their place in it, so every byte that arrives is checked where it arrives.

use std::{collections::BTreeMap, sync::LazyLock};

use ropeway_mux::{Config, Connection, Error, Event, Micros, Reason, Role, Source, StreamId, Supply};

use crate::link::{Carrier, Damage, Link, Pipe, Random};

/// What the agent does with a stream that comes in.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Accept,
    Refuse(Reason),
    /// Nothing; the test answers.
    Wait,
}

/// A program at one end of a stream.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits; the tests use most combinations")]
pub struct Program {
    /// Bytes still to be given to the mux.
    pub to_send: usize,
    pub finishes: bool,
    /// Whether it takes what arrives.
    pub reads: bool,
    /// Sends back what arrives.
    pub echoes: bool,
    pub given: usize,
    pub received: usize,
    pub unread: usize,
    pub eof: bool,
    /// Its end was told.
    pub ended: bool,
    /// When what it received came, if it looks at the clock.
    pub arrivals: Option<Vec<(Micros, usize)>>,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            to_send: 0,
            finishes: false,
            reads: true,
            echoes: false,
            given: 0,
            received: 0,
            unread: 0,
            eof: false,
            ended: false,
            arrivals: None,
        }
    }
}

impl Program {
    pub fn sends(bytes: usize) -> Self {
        Self { to_send: bytes, finishes: true, ..Self::default() }
    }

    pub fn stopped() -> Self {
        Self { reads: false, ..Self::default() }
    }
}

/// One end with its programs and its outgoing pipe.
pub struct Side {
    pub mux: Connection,
    pub programs: BTreeMap<StreamId, Program>,
    /// Events but `Data`, in order.
    pub log: Vec<Event<'static>>,
    pub answer: Answer,
    /// The program of a stream that comes in.
    pub serve: fn(StreamId) -> Program,
    /// Whether the bytes that arrive are compared with what must arrive.
    pub checks: bool,
    pub error: Option<Error>,
    /// Most that was ever seen of these.
    pub peak: Peak,
    /// How far its clock is ahead of the other's, in microseconds.
    pub clock_ahead: u64,
    role: Role,
    pipe: Box<dyn Carrier>,
    /// The buffer that the pipe is written from, and what of it has to be written yet.
    space: Vec<u8>,
    pending: std::ops::Range<usize>,
}

/// Most that a side ever held.
#[derive(Debug, Default, Clone, Copy)]
pub struct Peak {
    pub in_flight: usize,
    pub buffered: usize,
    pub unread: usize,
}

/// Both ends.
pub struct Pair {
    pub now: Micros,
    pub client: Side,
    pub agent: Side,
}

/// What streams are made of; each starts at a place of its own in it. The period is a prime, so no frame, window or
/// buffer that went missing or came twice fits into the gap.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random(1);
    let period: Vec<u8> = (0..PERIOD).map(|_| random.below(256) as u8).collect();
    period.repeat(3)
});

const PERIOD: usize = 65_521;

/// What drivers use.
const BUFFER: usize = 64 << 10;

/// The bytes that `from` sends on stream `id`, from `start` on.
fn bytes_of(from: Role, id: StreamId, start: usize, count: usize) -> &'static [u8] {
    let own = id.0 as usize * 7_919 + if from == Role::Client { 0 } else { 31_337 };
    let first = (start + own) % PERIOD;
    &PATTERN[first..first + count]
}

impl Side {
    fn new(config: Config, pipe: Box<dyn Carrier>) -> Self {
        Self {
            mux: Connection::new(config),
            programs: BTreeMap::new(),
            log: Vec::new(),
            answer: Answer::Accept,
            serve: |_| Program::default(),
            checks: true,
            error: None,
            peak: Peak::default(),
            clock_ahead: 0,
            role: config.role,
            pipe,
            space: vec![0; BUFFER],
            pending: 0..0,
        }
    }

    pub fn run(&mut self, id: StreamId, program: Program) {
        self.programs.insert(id, program);
        self.mux.ready(id);
    }

    /// The program has so many bytes more to say.
    pub fn say(&mut self, id: StreamId, bytes: usize) {
        self.programs.get_mut(&id).expect("a program").to_send += bytes;
        self.mux.ready(id);
    }

    /// The program takes what it left lying, and goes on reading.
    pub fn read_on(&mut self, id: StreamId, now: Micros) {
        let program = self.programs.get_mut(&id).expect("a program");
        program.reads = true;
        self.mux.consumed(id, std::mem::take(&mut program.unread), Micros(now.0 + self.clock_ahead));
    }

    pub fn program(&self, id: StreamId) -> &Program {
        &self.programs[&id]
    }

    pub fn program_exists(&self, id: StreamId) -> bool {
        self.programs.contains_key(&id)
    }

    pub fn logged(&self, event: &Event) -> bool {
        self.log.contains(event)
    }

    pub fn damage(&mut self, damage: Damage) {
        self.pipe.damage(damage);
    }

    /// Something is printed into the pipe by somebody else.
    pub fn print(&mut self, noise: &[u8], now: Micros) {
        self.pipe.write(noise, now);
    }

    fn take_in(&mut self, mut bytes: &[u8], now: Micros) {
        while self.error.is_none() {
            match self.mux.receive(&mut bytes, Micros(now.0 + self.clock_ahead)) {
                Ok(Some(event)) => self.on_event(event, now),
                Ok(None) => return,
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// Transmits until there is nothing more, or the pipe takes no more.
    fn settle(&mut self, now: Micros) {
        loop {
            self.note_peaks();
            let room = self.pipe.room(now);
            if room == 0 {
                return;
            }
            if self.pending.is_empty() {
                let fills = self.checks;
                let mut source = Programs { role: self.role, all: &mut self.programs, fills };
                let clock = Micros(now.0 + self.clock_ahead);
                self.pending = 0..self.mux.transmit(&mut self.space, clock, &mut source);
            }
            let end = self.pending.end.min(self.pending.start + room);
            if self.pending.is_empty() {
                return;
            }
            self.pipe.write(&self.space[self.pending.start..end], now);
            self.pending.start = end;
        }
    }

    fn note_peaks(&mut self) {
        let stats = self.mux.stats();
        self.peak.in_flight = self.peak.in_flight.max(stats.in_flight);
        self.peak.buffered = self.peak.buffered.max(stats.buffered);
        self.peak.unread = self.peak.unread.max(stats.unread);
    }

    fn on_event(&mut self, event: Event, now: Micros) {
        match event {
            Event::Data { id, data } => return self.on_data(id, data, now),
            Event::Incoming { id, .. } => self.on_incoming(id),
            Event::Eof { id } => self.programs.entry(id).or_default().eof = true,
            _ => {}
        }
        self.log.push(kept(event));
    }

    fn on_incoming(&mut self, id: StreamId) {
        match self.answer {
            Answer::Accept => self.mux.accept(id),
            Answer::Refuse(reason) => return self.mux.refuse(id, reason),
            Answer::Wait => {}
        }
        self.run(id, (self.serve)(id));
    }

    fn on_data(&mut self, id: StreamId, data: &[u8], now: Micros) {
        let from = if self.role == Role::Client { Role::Agent } else { Role::Client };
        let Some(program) = self.programs.get_mut(&id) else { return };
        if self.checks {
            let expected = bytes_of(from, id, program.received, data.len());
            assert!(data == expected, "stream {} is out of order at {}", id.0, program.received);
            assert!(!program.eof, "nothing after the end");
        }
        program.received += data.len();
        if let Some(arrivals) = &mut program.arrivals {
            arrivals.push((now, program.received));
        }
        if program.echoes {
            program.to_send += data.len();
        }
        if program.reads {
            self.mux.consumed(id, data.len(), Micros(now.0 + self.clock_ahead));
        } else {
            program.unread += data.len();
        }
        if program.echoes {
            self.mux.ready(id);
        }
    }
}

/// The programs of one end as the mux asks them.
struct Programs<'a> {
    role: Role,
    all: &'a mut BTreeMap<StreamId, Program>,
    fills: bool,
}

impl Source for Programs<'_> {
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply {
        let Some(program) = self.all.get_mut(&id) else { return Supply::Empty };
        if program.to_send == 0 {
            let ends = program.finishes && !std::mem::replace(&mut program.ended, program.finishes);
            return if ends { Supply::End } else { Supply::Empty };
        }
        let count = buffer.len().min(program.to_send);
        if self.fills {
            buffer[..count].copy_from_slice(bytes_of(self.role, id, program.given, count));
        }
        program.to_send -= count;
        program.given += count;
        Supply::Bytes { count, more: program.to_send > 0 || program.finishes }
    }
}

/// The event for later; data does not live so long.
fn kept(event: Event) -> Event<'static> {
    match event {
        Event::Data { id, .. } => Event::Data { id, data: b"" },
        Event::Ready => Event::Ready,
        Event::Incoming { id, target } => Event::Incoming { id, target },
        Event::Opened { id } => Event::Opened { id },
        Event::Refused { id, reason } => Event::Refused { id, reason },
        Event::Eof { id } => Event::Eof { id },
        Event::Reset { id, reason } => Event::Reset { id, reason },
        Event::Datagram { flow, data } => Event::Datagram { flow, data },
        Event::Control { kind, data } => Event::Control { kind, data },
        Event::Pong { round_trip } => Event::Pong { round_trip },
    }
}

impl Pair {
    pub fn new(link: &Link) -> Self {
        Self::with(link, |config| config)
    }

    /// Both ends with changed limits.
    pub fn with(link: &Link, change: impl Fn(Config) -> Config) -> Self {
        let pipe = |seed| Box::new(Pipe::new(link.clone(), seed));
        Self::over([pipe(1), pipe(2)], change)
    }

    /// Over other pipes: up and down.
    pub fn over<P: Carrier + 'static>(pipes: [Box<P>; 2], change: impl Fn(Config) -> Config) -> Self {
        let [up, down] = pipes;
        let client = Side::new(change(Config::new(Role::Client)), up);
        let agent = Side::new(change(Config::new(Role::Agent)), down);
        Self { now: Micros(0), client, agent }
    }

    /// A stream with a program at the client's end.
    pub fn open(&mut self, program: Program) -> StreamId {
        let id = self.client.mux.open(target(), self.now).expect("not too many");
        self.client.run(id, program);
        id
    }

    /// Until nothing is under way any more.
    pub fn drive(&mut self) {
        while self.step(Micros(u64::MAX)) {}
        self.expect_no_error();
    }

    pub fn drive_for(&mut self, millis: u64) {
        self.drive_until(Micros(self.now.0 + millis * 1_000));
    }

    /// Until nothing moves, whatever the ends think of each other.
    pub fn drive_to_the_bitter_end(&mut self) {
        while self.step(Micros(u64::MAX)) {}
    }

    /// So far and not beyond.
    pub fn drive_until(&mut self, end: Micros) {
        while self.step(end) {}
        self.now = self.now.max(end);
        self.expect_no_error();
    }

    fn expect_no_error(&self) {
        assert_eq!((&self.client.error, &self.agent.error), (&None, &None));
    }

    /// Settle, then go to the next moment at which something happens; false if there is none until `end`.
    fn step(&mut self, end: Micros) -> bool {
        let now = self.now;
        self.client.settle(now);
        self.agent.settle(now);
        let Some(next) = self.next_moment().filter(|&moment| moment <= end) else { return false };
        self.now = next.max(now);
        deliver(&mut self.client, &mut self.agent, self.now);
        deliver(&mut self.agent, &mut self.client, self.now);
        true
    }

    fn next_moment(&self) -> Option<Micros> {
        let of = |side: &Side| {
            let deadline = side.mux.next_deadline().map(|at| Micros(at.0.saturating_sub(side.clock_ahead)));
            [side.pipe.next_arrival(), side.pipe.next_room(self.now), deadline].into_iter().flatten()
        };
        of(&self.client).chain(of(&self.agent)).min()
    }
}

fn deliver(from: &mut Side, to: &mut Side, now: Micros) {
    while let Some(bytes) = from.pipe.read(now) {
        to.take_in(&bytes, now);
    }
    from.mux.expire(Micros(now.0 + from.clock_ahead));
}

pub fn target() -> std::net::SocketAddr {
    "10.1.2.3:443".parse().expect("an address")
}
