//! Ten thousand idle streams, as a desktop with a crawler has: small, and no work for anybody.

use ropeway_mux::{Config, Connection, Event, Micros, Role, StreamId};

use crate::{allocations, drive::Endless, pair::target};

const NOW: Micros = Micros(0);

/// The two ends, without programs around them that would count too.
struct Ends {
    client: Connection,
    agent: Connection,
    space: Vec<u8>,
    events: usize,
}

impl Ends {
    fn new() -> Self {
        let client = Connection::new(Config::new(Role::Client));
        let agent = Connection::new(Config::new(Role::Agent));
        Self { client, agent, space: vec![0; 64 << 10], events: 0 }
    }

    fn with_idle_streams(count: usize) -> Self {
        let mut ends = Self::new();
        for _ in 0..count {
            ends.client.open(target(), NOW);
        }
        ends.settle();
        ends
    }

    fn settle(&mut self) {
        loop {
            let moved = self.carry(true) + self.carry(false);
            if moved == 0 {
                break;
            }
        }
    }

    fn carry(&mut self, up: bool) -> usize {
        let (from, to) =
            if up { (&mut self.client, &mut self.agent) } else { (&mut self.agent, &mut self.client) };
        let moved = from.transmit(&mut self.space, NOW, &mut Endless(7));
        let mut bytes = &self.space[..moved];
        while let Some(event) = to.receive(&mut bytes, NOW).expect("our own frames") {
            self.events += 1;
            match event {
                Event::Incoming { id, .. } => to.accept(id),
                Event::Data { id, data } => to.consumed(id, data.len(), NOW),
                _ => {}
            }
        }
        moved
    }

    /// The stream has something from now on and for ever; so many turns of it.
    fn send(&mut self, id: StreamId, turns: usize) {
        self.client.ready(id);
        for _ in 0..turns {
            self.carry(true);
            self.carry(false);
        }
    }
}

#[test]
fn an_idle_stream_costs_a_few_hundred_bytes_and_no_buffer() {
    let before = allocations::live_bytes();
    let empty = Ends::new();
    let nothing = allocations::live_bytes() - before;
    drop(empty);
    let ends = Ends::with_idle_streams(10_000);
    let each = (allocations::live_bytes() - before - nothing) / 20_000;
    assert_eq!((ends.client.stats().streams, ends.agent.stats().streams), (10_000, 10_000));
    assert!(each < 350, "{each} bytes for each end of a stream");
}

#[test]
fn idle_streams_make_no_work_for_the_busy_one() {
    let work = |idle| {
        let mut ends = Ends::with_idle_streams(idle);
        ends.settle();
        let id = ends.client.open(target(), NOW).expect("there is room");
        ends.settle();
        ends.send(id, 4_000);
        let (calls, events, sent) = (allocations::calls(), ends.events, ends.client.stats().sent);
        ends.send(id, 200);
        (allocations::calls() - calls, ends.events - events, ends.client.stats().sent - sent)
    };
    let (alone, crowded) = (work(0), work(10_000));
    assert_eq!(alone.1, crowded.1, "events");
    assert!(alone.2.abs_diff(crowded.2) < 1_000, "bytes: a longer id, more windows: {alone:?} {crowded:?}");
    assert!(crowded.0 < alone.0 + 10, "allocations: {alone:?} {crowded:?}");
}

#[test]
fn a_frame_is_carried_without_an_allocation() {
    let mut ends = Ends::with_idle_streams(10);
    ends.send(StreamId(3), 100);
    let (before, sent) = (allocations::calls(), ends.client.stats().sent);
    ends.send(StreamId(3), 1_000);
    assert!(ends.client.stats().sent - sent > 20 << 20, "{} bytes", ends.client.stats().sent - sent);
    assert_eq!(allocations::calls() - before, 0);
}

#[test]
fn memory_comes_back_after_a_burst() {
    let mut ends = Ends::with_idle_streams(10_000);
    let full = allocations::live_bytes();
    for id in 1..=10_000 {
        ends.client.reset(StreamId(id), ropeway_mux::Reason::Reset, NOW);
    }
    ends.settle();
    assert_eq!(ends.agent.stats().streams, 0);
    assert!(allocations::live_bytes() < full / 4 + (1 << 20), "{} of {full}", allocations::live_bytes());
}
