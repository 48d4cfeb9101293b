//! A client and an agent, their programs, and the clock.
//!
//! Bytes of a stream are a function of their place in it, so every byte that arrives is checked where it arrives.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::{Bytes, BytesMut};
use ropeway_mux::{Config, Connection, Error, Event, Micros, Reason, Role, StreamId};

use crate::link::{Link, Pipe, Random};

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
    /// Events but `Data` and `Writable`, in order.
    pub log: Vec<Event>,
    pub answer: Answer,
    /// The program of a stream that comes in.
    pub serve: fn(StreamId) -> Program,
    /// Whether the bytes that arrive are compared with what must arrive.
    pub checks: bool,
    pub error: Option<Error>,
    /// Most that was ever seen of these.
    pub peak: Peak,
    role: Role,
    pipe: Pipe,
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

/// The bytes that `from` sends on stream `id`, from `start` on.
fn bytes_of(from: Role, id: StreamId, start: usize, count: usize) -> &'static [u8] {
    let own = id.0 as usize * 7_919 + if from == Role::Client { 0 } else { 31_337 };
    let first = (start + own) % PERIOD;
    &PATTERN[first..first + count]
}

impl Side {
    fn new(config: Config, link: Link, seed: u64) -> Self {
        Self {
            mux: Connection::new(config),
            programs: BTreeMap::new(),
            log: Vec::new(),
            answer: Answer::Accept,
            serve: |_| Program::default(),
            checks: true,
            error: None,
            peak: Peak::default(),
            role: config.role,
            pipe: Pipe::new(link, seed),
        }
    }

    pub fn run(&mut self, id: StreamId, program: Program) {
        self.programs.insert(id, program);
        self.supply(id);
    }

    /// Give the mux what the program has and the mux takes.
    pub fn supply(&mut self, id: StreamId) {
        let Some(program) = self.programs.get_mut(&id) else { return };
        while program.to_send > 0 {
            let count = self.mux.send_room(id).min(program.to_send);
            if count == 0 {
                return;
            }
            self.mux.send(id, Bytes::from_static(bytes_of(self.role, id, program.given, count)));
            program.to_send -= count;
            program.given += count;
        }
        if program.finishes {
            self.mux.finish(id);
        }
    }

    /// The program takes what it left lying, and goes on reading.
    pub fn read_on(&mut self, id: StreamId) {
        let program = self.programs.get_mut(&id).expect("a program");
        program.reads = true;
        self.mux.consumed(id, std::mem::take(&mut program.unread));
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

    pub fn damage(&mut self, damage: crate::link::Damage) {
        self.pipe.damage = Some(damage);
    }

    /// Something is printed into the pipe by somebody else.
    pub fn print(&mut self, noise: &[u8], now: Micros) {
        self.pipe.write(noise, now);
    }

    fn take_in(&mut self, bytes: &[u8], now: Micros) {
        if self.error.is_none() {
            self.error = self.mux.receive(bytes, now).err();
        }
    }

    /// Events and transmits until there is nothing of either.
    fn settle(&mut self, now: Micros) {
        let mut out = BytesMut::new();
        loop {
            while let Some(event) = self.mux.next_event() {
                self.on_event(event);
            }
            let room = self.pipe.room(now);
            if room == 0 || self.mux.transmit(&mut out, room, now) == 0 {
                break;
            }
            self.pipe.write(&out.split(), now);
        }
        let stats = self.mux.stats();
        self.peak.in_flight = self.peak.in_flight.max(stats.in_flight);
        self.peak.buffered = self.peak.buffered.max(stats.buffered);
        self.peak.unread = self.peak.unread.max(stats.unread);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Data { id, data } => return self.on_data(id, &data),
            Event::Writable { id } => return self.supply(id),
            Event::Incoming { id, .. } => self.on_incoming(id),
            Event::Eof { id } => self.programs.entry(id).or_default().eof = true,
            _ => {}
        }
        self.log.push(event);
    }

    fn on_incoming(&mut self, id: StreamId) {
        match self.answer {
            Answer::Accept => self.mux.accept(id),
            Answer::Refuse(reason) => return self.mux.refuse(id, reason),
            Answer::Wait => {}
        }
        self.run(id, (self.serve)(id));
    }

    fn on_data(&mut self, id: StreamId, data: &[u8]) {
        let from = if self.role == Role::Client { Role::Agent } else { Role::Client };
        let Some(program) = self.programs.get_mut(&id) else { return };
        if self.checks {
            let expected = bytes_of(from, id, program.received, data.len());
            assert!(data == expected, "stream {} is out of order at {}", id.0, program.received);
            assert!(!program.eof, "nothing after the end");
        }
        program.received += data.len();
        if program.echoes {
            program.to_send += data.len();
        }
        if program.reads {
            self.mux.consumed(id, data.len());
        } else {
            program.unread += data.len();
        }
        if program.echoes {
            self.supply(id);
        }
    }
}

impl Pair {
    pub fn new(link: &Link) -> Self {
        Self::with(link, |config| config)
    }

    /// Both ends with changed limits.
    pub fn with(link: &Link, change: impl Fn(Config) -> Config) -> Self {
        let side = |role, seed| Side::new(change(Config::new(role)), link.clone(), seed);
        Self { now: Micros(0), client: side(Role::Client, 1), agent: side(Role::Agent, 2) }
    }

    /// A stream with a program at the client's end.
    pub fn open(&mut self, program: Program) -> StreamId {
        let id = self.client.mux.open(target());
        self.client.run(id, program);
        id
    }

    /// Until nothing is under way any more.
    pub fn drive(&mut self) {
        while self.step(Micros(u64::MAX)) {}
        self.expect_no_error();
    }

    pub fn drive_for(&mut self, millis: u64) {
        let end = Micros(self.now.0 + millis * 1_000);
        while self.step(end) {}
        self.now = end;
        self.expect_no_error();
    }

    /// Until nothing moves, whatever the ends think of each other.
    pub fn drive_to_the_bitter_end(&mut self) {
        while self.step(Micros(u64::MAX)) {}
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
            [side.pipe.next_arrival(), side.pipe.next_room(self.now), side.mux.next_deadline()]
                .into_iter()
                .flatten()
        };
        of(&self.client).chain(of(&self.agent)).min()
    }
}

fn deliver(from: &mut Side, to: &mut Side, now: Micros) {
    while let Some(bytes) = from.pipe.read(now) {
        to.take_in(&bytes, now);
    }
    from.mux.expire(now);
}

pub fn target() -> std::net::SocketAddr {
    "10.1.2.3:443".parse().expect("an address")
}
