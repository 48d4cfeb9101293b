//! Whatever the programs do, in whatever order, over whatever pipe: every byte arrives once and in order, and nothing is
//! left behind.

use proptest::{collection::vec, prelude::*};
use ropeway_mux::{Config, Latency, Micros, Reason, StreamId};

use crate::{
    link::Link,
    pair::{Pair, Program},
};

/// Something a program or the clock does.
#[derive(Debug, Clone)]
enum Act {
    Open { up: usize, down: usize, reads: bool },
    Wait { millis: u64 },
    Stop { stream: usize, at_client: bool },
    ReadOn { stream: usize, at_client: bool },
    Reset { stream: usize, at_client: bool },
    Datagram { size: usize },
    Message { size: usize },
    Ping,
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![0usize..100, 1_000usize..50_000, 100_000usize..600_000];
    prop_oneof![
        4 => (size.clone(), size, any::<bool>()).prop_map(|(up, down, reads)| Act::Open { up, down, reads }),
        4 => (0u64..80).prop_map(|millis| Act::Wait { millis }),
        1 => (0usize..20, any::<bool>()).prop_map(|(stream, at_client)| Act::Stop { stream, at_client }),
        2 => (0usize..20, any::<bool>()).prop_map(|(stream, at_client)| Act::ReadOn { stream, at_client }),
        1 => (0usize..20, any::<bool>()).prop_map(|(stream, at_client)| Act::Reset { stream, at_client }),
        1 => (0usize..3_000).prop_map(|size| Act::Datagram { size }),
        1 => (0usize..3_000).prop_map(|size| Act::Message { size }),
        1 => Just(Act::Ping),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    (1u64..500, 0u64..150, 1_000usize..300_000, 20usize..70_000)
        .prop_map(|(rate, delay, buffer, piece)| Link { buffer, piece, ..Link::new(rate, delay) })
}

fn latency() -> impl Strategy<Value = Latency> {
    prop_oneof![
        2 => Just(Latency::Adaptive),
        1 => Just(Latency::Unlimited),
        2 => (4_096u32..1_000_000).prop_map(Latency::Fixed),
    ]
}

/// One run: the pair, and what each stream has to bring.
struct Run {
    pair: Pair,
    streams: Vec<Carried>,
}

struct Carried {
    id: StreamId,
    up: usize,
    down: usize,
    reset: bool,
}

impl Run {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Open { up, down, reads } => {
                let id = self.pair.open(Program { reads, ..Program::sends(up) });
                self.streams.push(Carried { id, up, down, reset: false });
            }
            Act::Wait { millis } => self.pair.drive_for(millis),
            Act::Stop { stream, at_client } => self.with(stream, at_client, |side, id, _| {
                if let Some(program) = side.programs.get_mut(&id) {
                    program.reads = false;
                }
            }),
            Act::ReadOn { stream, at_client } => self.with(stream, at_client, |side, id, now| {
                if side.program_exists(id) {
                    side.read_on(id, now);
                }
            }),
            Act::Reset { stream, at_client } => {
                self.with(stream, at_client, |side, id, now| side.mux.reset(id, Reason::Reset, now));
                if let Some(carried) = self.streams.get_mut(stream) {
                    carried.reset = true;
                }
            }
            Act::Datagram { size } => {
                self.pair.client.mux.send_datagram(1, vec![0; size].into(), self.pair.now);
            }
            Act::Message { size } => assert!(self.pair.agent.mux.send_control(1, vec![0; size].into())),
            Act::Ping => self.pair.client.mux.ping(self.pair.now),
        }
        self.answer();
    }

    fn with(
        &mut self,
        stream: usize,
        at_client: bool,
        act: impl FnOnce(&mut crate::pair::Side, StreamId, Micros),
    ) {
        let Some(carried) = self.streams.get(stream) else { return };
        let side = if at_client { &mut self.pair.client } else { &mut self.pair.agent };
        act(side, carried.id, self.pair.now);
    }

    /// Targets say what they have to say once they are connected.
    fn answer(&mut self) {
        for Carried { id, down, .. } in &self.streams {
            if self.pair.agent.programs.get(id).is_some_and(|program| program.given == 0 && !program.finishes)
            {
                let old = self.pair.agent.programs.remove(id).expect("a program");
                self.pair.agent.run(*id, Program { to_send: *down, finishes: true, ..old });
            }
        }
    }

    fn end(&mut self) {
        self.pair.drive();
        self.answer();
        for Carried { id, .. } in &self.streams {
            let now = self.pair.now;
            for side in [&mut self.pair.client, &mut self.pair.agent] {
                if side.program_exists(*id) {
                    side.read_on(*id, now);
                }
            }
        }
        self.pair.drive();
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 120,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_byte_once_and_in_order(acts in vec(act(), 1..40), link in link(), latency in latency()) {
        let pair = Pair::with(&link, |config| Config { latency, ..config });
        let mut run = Run { pair, streams: Vec::new() };
        for act in &acts {
            run.act(act);
        }
        run.end();
        for carried in run.streams.iter().filter(|carried| !carried.reset) {
            prop_assert_eq!(run.pair.agent.program(carried.id).received, carried.up);
            prop_assert_eq!(run.pair.client.program(carried.id).received, carried.down);
            prop_assert!(run.pair.agent.program(carried.id).eof && run.pair.client.program(carried.id).eof);
        }
        for side in [&run.pair.client, &run.pair.agent] {
            let stats = side.mux.stats();
            prop_assert_eq!((stats.streams, stats.buffered, stats.unread, stats.in_flight), (0, 0, 0, 0));
            let limit = if let Latency::Fixed(limit) = latency { limit as usize } else { 2 << 20 };
            prop_assert!(side.peak.in_flight <= limit + (8 << 10), "{} of {limit}", side.peak.in_flight);
            prop_assert_eq!(side.mux.next_deadline(), None::<Micros>);
        }
    }
}
