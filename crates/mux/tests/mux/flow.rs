//! The link's rate at hardly more than the link's latency: what is promised, measured over the model of a real path.
//!
//! A measurement is the share of the link that bulk got, and how long a keystroke and its echo took, in round trips of the
//! empty link.

use proptest::prelude::*;
use ropeway_mux::{Config, Latency, Micros, StreamId};

use crate::{
    fairness::jain,
    pair::{Pair, Program},
    path::{Path, Tcp},
};

/// Who is busy.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Busy {
    Up,
    Down,
    Both,
}

/// A person who types, beside programs that move as much as they can.
struct Desk {
    pair: Pair,
    path: Path,
    keys: StreamId,
    typed: Vec<Micros>,
    bulk: Vec<StreamId>,
    /// Bytes that had arrived at each keystroke: up and down.
    moved: Vec<(Micros, [usize; 2])>,
    gaps: crate::link::Random,
}

/// What a keystroke sends, as ssh's do.
const KEY: usize = 64;

/// For ever.
const ENDLESS: usize = 1 << 40;

impl Desk {
    fn new(path: &Path, busy: Busy, streams: usize, latency: Latency) -> Self {
        Self::over(path, [path.pipe(), path.pipe()], busy, streams, latency)
    }

    fn over(path: &Path, pipes: [Box<Tcp>; 2], busy: Busy, streams: usize, latency: Latency) -> Self {
        let mut pair = Pair::over(pipes, |config| Config { latency, ..config });
        pair.agent.clock_ahead = u64::from(path.ahead);
        pair.client.checks = false;
        pair.agent.checks = false;
        pair.agent.serve = match busy {
            Busy::Up => |id| Program { echoes: id.0 == 1, ..Program::default() },
            Busy::Down | Busy::Both => |id| match id.0 {
                1 => Program { echoes: true, ..Program::default() },
                _ => Program { to_send: ENDLESS, ..Program::default() },
            },
        };
        let keys = pair.open(Program { arrivals: Some(Vec::new()), ..Program::default() });
        pair.drive_for(1_000);
        let to_send = if busy == Busy::Down { 0 } else { ENDLESS };
        let bulk = (0..streams).map(|_| pair.open(Program { to_send, ..Program::default() })).collect();
        let path = path.clone();
        Self { pair, path, keys, typed: vec![], bulk, moved: vec![], gaps: crate::link::Random(7) }
    }

    /// Types every 40 to 60 ms for so long.
    fn work(&mut self, seconds: f64) -> &mut Self {
        let end = Micros(self.pair.now.0 + (seconds * 1e6) as u64);
        while self.pair.now < end {
            self.typed.push(self.pair.now);
            self.pair.client.say(self.keys, KEY);
            self.pair.drive_until(Micros(self.pair.now.0 + 40_000 + self.gaps.below(20_000) as u64));
            let sum = |side: &crate::pair::Side| {
                self.bulk.iter().filter_map(|id| side.programs.get(id)).map(|program| program.received).sum()
            };
            self.moved.push((self.pair.now, [sum(&self.pair.agent), sum(&self.pair.client)]));
        }
        self
    }

    /// By each bulk stream, in both directions.
    fn received(&self) -> Vec<usize> {
        let of =
            |id: &StreamId| self.pair.agent.program(*id).received + self.pair.client.program(*id).received;
        self.bulk.iter().map(of).collect()
    }

    /// Of the link, in the last so many seconds: up and down.
    fn shares(&self, last: f64) -> [f64; 2] {
        let end = self.pair.now;
        let from = Micros(end.0 - (last * 1e6) as u64);
        self.shares_between(from, end)
    }

    fn shares_between(&self, from: Micros, to: Micros) -> [f64; 2] {
        let at = |moment| self.moved.iter().rev().find(|(when, _)| *when <= moment).expect("measured");
        let ((from, before), (to, after)) = (at(from), at(to));
        let link = self.path.carries(*from, *to);
        [0, 1].map(|way| (after[way] - before[way]) as f64 / link)
    }

    fn share(&self, last: f64) -> f64 {
        self.shares(last).into_iter().fold(0.0, f64::max)
    }

    /// Round trips of the keys typed in the last so many seconds, in those of the empty link, sorted.
    fn waits(&self, last: f64) -> Vec<f64> {
        let from = Micros(self.pair.now.0 - (last * 1e6) as u64);
        let mut waits: Vec<_> =
            self.timed().filter(|(typed, _)| *typed >= from).map(|(_, wait)| wait).collect();
        waits.sort_by(f64::total_cmp);
        waits
    }

    /// When each key was typed and how long its echo took.
    fn timed(&self) -> impl Iterator<Item = (Micros, f64)> {
        let base = 2.0 * self.path.delay.0 as f64;
        let arrivals = self.pair.client.program(self.keys).arrivals.as_ref().expect("it looks at the clock");
        let echo = move |count: usize| {
            let index = arrivals.partition_point(|(_, received)| *received < count);
            arrivals.get(index).map(|(when, _)| *when)
        };
        let wait = move |(index, typed): (usize, &Micros)| {
            echo((index + 1) * KEY).map(|when| (*typed, (when.0 - typed.0) as f64 / base))
        };
        self.typed.iter().enumerate().filter_map(wait)
    }
}

/// Infinite when nothing came.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len() as f64 * part) as usize;
    sorted.get(index).copied().unwrap_or(f64::INFINITY)
}

/// What came of a path: the share of it that bulk got, and keystrokes' p50 and p95.
#[derive(Debug)]
struct Measured {
    share: f64,
    p50: f64,
    p95: f64,
}

impl Desk {
    fn measured(&self, last: f64) -> Measured {
        let waits = self.waits(last);
        Measured { share: self.share(last), p50: percentile(&waits, 0.5), p95: percentile(&waits, 0.95) }
    }
}

fn measure(path: &Path, busy: Busy, streams: usize) -> Measured {
    let mut desk = Desk::new(path, busy, streams, Latency::Adaptive);
    desk.work(9.0);
    let measured = desk.measured(6.0);
    let (rate, delay) = (path.rates[0].1 as f64 / 1e6, path.delay.0 / 500);
    eprintln!("{rate} Mbit/s {delay} ms, {busy:?}, {streams} streams: {measured:.3?}");
    measured
}

/// Mbit/s, ms of a round trip, and what is allowed: p50 and p95. On the slow and the short ones a segment or the 4 ms that
/// nobody feels are a good part of the round trip.
const LINKS: [(f64, u64, f64, f64); 10] = [
    (1.0, 50, 1.4, 1.6),
    (2.0, 50, 1.4, 1.6),
    (10.0, 20, 1.4, 1.5),
    (10.0, 50, 1.3, 1.4),
    (10.0, 100, 1.3, 1.3),
    (20.0, 20, 1.4, 1.5),
    (50.0, 50, 1.3, 1.3),
    (100.0, 20, 1.3, 1.4),
    (100.0, 100, 1.3, 1.3),
    (1000.0, 5, 2.0, 2.3),
];

#[test]
fn one_busy_stream_gets_the_links_rate_at_its_latency() {
    for (rate, round_trip, p50, p95) in LINKS {
        let measured = measure(&Path::new(rate, round_trip), Busy::Up, 1);
        assert!(measured.share > 0.96 && measured.p50 < p50 && measured.p95 < p95, "{measured:?}");
    }
}

#[test]
fn eight_streams_down_too_and_each_gets_the_same() {
    for (rate, round_trip, p50, p95) in LINKS {
        let path = Path::new(rate, round_trip);
        let mut desk = Desk::new(&path, Busy::Down, 8, Latency::Adaptive);
        desk.work(3.0);
        let before = desk.received();
        desk.work(6.0);
        let after = desk.received();
        let measured = desk.measured(6.0);
        eprintln!("{rate} Mbit/s {round_trip} ms, down, 8 streams: {measured:.3?}");
        assert!(measured.share > 0.96 && measured.p50 < p50 && measured.p95 < p95, "{rate}: {measured:?}");
        let shares: Vec<_> =
            after.iter().zip(before).map(|(after, before)| (after - before) as f64).collect();
        assert!(jain(&shares) > 0.98, "{rate}: {shares:?}");
    }
}

#[test]
fn both_directions_may_be_busy() {
    for (rate, round_trip) in [(10.0, 50), (20.0, 50), (50.0, 20), (50.0, 100), (100.0, 50)] {
        let path = Path::new(rate, round_trip);
        let mut desk = Desk::new(&path, Busy::Both, 1, Latency::Adaptive);
        desk.work(9.0);
        let (shares, measured) = (desk.shares(6.0), desk.measured(6.0));
        eprintln!("{rate} Mbit/s {round_trip} ms, both ways: {shares:.3?} {measured:.3?}");
        assert!(shares.iter().all(|share| *share > 0.95), "{rate}: {shares:?}");
        assert!(measured.p50 < 1.65 && measured.p95 < 1.85, "{rate}: {measured:?}");
    }
}

#[test]
fn a_minute_does_not_make_it_worse() {
    let mut desk = Desk::new(&Path::new(20.0, 50), Busy::Up, 1, Latency::Adaptive);
    desk.work(60.0);
    let measured = desk.measured(20.0);
    assert!(measured.share > 0.97 && measured.p95 < 1.4, "{measured:?}");
}

#[test]
fn a_link_that_gets_slower_is_noticed_at_once_and_a_faster_one_soon() {
    let path = Path::new(50.0, 50).then(8, 10.0).then(14, 50.0);
    let mut desk = Desk::new(&path, Busy::Up, 1, Latency::Adaptive);
    desk.work(19.0);
    let slow = |(typed, wait): &(Micros, f64)| (8_000_000..14_000_000).contains(&typed.0) && *wait > 2.0;
    let last_slow = desk.timed().filter(slow).last().map_or(0.0, |(typed, _)| typed.0 as f64 / 1e6 - 8.0);
    let climb = desk.shares_between(Micros(15_500_000), Micros(17_000_000))[0];
    eprintln!("step: {last_slow:.2} s above twice the round trip, {climb:.3} from 1.5 to 3 s after");
    assert!(last_slow < 0.6, "{last_slow} s");
    assert!(climb > 0.93, "{climb}");
}

#[test]
fn a_slow_line_is_known_after_its_first_window() {
    for (rate, seconds) in [(0.3, 3.5), (1.0, 1.5), (2.0, 1.0)] {
        let mut desk = Desk::new(&Path::new(rate, 50), Busy::Down, 4, Latency::Adaptive);
        desk.work(6.0);
        let slow = |(_, wait): &(Micros, f64)| *wait > 3.0;
        let last = desk.timed().filter(slow).last().map_or(0.0, |(typed, _)| typed.0 as f64 / 1e6 - 1.0);
        eprintln!("{rate} Mbit/s: {last:.2} s above three times the round trip");
        assert!(last < seconds, "{rate}: {last}");
    }
}

#[test]
fn a_link_that_never_keeps_its_rate_is_used_too() {
    let mut path = Path::new(100.0, 50);
    for step in 1..12 {
        path = path.then(2 * step, if step % 2 == 1 { 20.0 } else { 100.0 });
    }
    let mut desk = Desk::new(&path, Busy::Up, 1, Latency::Adaptive);
    desk.work(22.0);
    let measured = desk.measured(18.0);
    eprintln!("20 and 100 Mbit/s in turn: {measured:.3?}");
    assert!(measured.share > 0.7 && measured.p50 < 1.5, "{measured:?}");
}

#[test]
fn a_stall_costs_its_time_and_no_more() {
    let stalls = (1..5).map(|n| (Micros(n * 5_000_000), Micros(n * 5_000_000 + 300_000))).collect();
    let path = Path { stalls, ..Path::new(50.0, 50) };
    let mut desk = Desk::new(&path, Busy::Up, 1, Latency::Adaptive);
    desk.work(22.0);
    let measured = desk.measured(18.0);
    eprintln!("300 ms without a byte every 5 s: {measured:.3?}");
    assert!(measured.share > 0.90 && measured.p50 < 1.4, "{measured:?}");
}

#[test]
fn a_queue_on_the_way_back_does_not_slow_us() {
    let back = Path { foreign: |now| now.0 % 3_000_000 / 15, ..Path::new(50.0, 50) };
    let there = Path::new(50.0, 50);
    let mut desk = Desk::over(&there, [there.pipe(), back.pipe()], Busy::Up, 1, Latency::Adaptive);
    desk.work(20.0);
    let share = desk.share(16.0);
    eprintln!("0 to 200 ms of somebody else's queue on the way back: {share:.3}");
    assert!(share > 0.93, "{share}");
}

/// Two TCPs in one buffer are chaos, so this is an average over four paths.
fn beside_another_tcp(buffer_ms: u64, latency: Latency) -> (f64, f64) {
    let measured = [44, 48, 52, 56].map(|round_trip| {
        let path = Path { buffer_ms, rival: Some(Micros(5_000_000)), ..Path::new(50.0, round_trip) };
        let mut desk = Desk::new(&path, Busy::Up, 1, latency);
        desk.work(30.0);
        desk.measured(20.0)
    });
    let mean = |of: fn(&Measured) -> f64| measured.iter().map(of).sum::<f64>() / 4.0;
    (mean(|it| it.share), mean(|it| it.p50))
}

#[test]
fn beside_another_tcp_we_get_something_and_do_not_make_it_worse() {
    for buffer_ms in [50, 100] {
        let ours = beside_another_tcp(buffer_ms, Latency::Adaptive);
        let fixed = beside_another_tcp(buffer_ms, Latency::Fixed(32 << 10));
        eprintln!("another TCP, a buffer of {buffer_ms} ms: {ours:.3?}, 32 KiB a round trip: {fixed:.3?}");
        assert!(ours.0 > 2.0 * fixed.0, "{ours:?} {fixed:?}");
        // The other one fills the buffer whatever we do.
        assert!(ours.1 < 1.3 * fixed.1, "{ours:?} {fixed:?}");
    }
}

#[test]
fn a_reader_that_wakes_every_ten_milliseconds_is_no_slower() {
    let path = Path { wakes: 10_000, ..Path::new(50.0, 50) };
    let measured = measure(&path, Busy::Up, 1);
    assert!(measured.share > 0.96 && measured.p50 < 1.6, "{measured:?}");
}

#[test]
fn a_sleep_in_the_middle_costs_a_second_or_two() {
    for stopped in [Stopped::Process, Stopped::Computer] {
        let stalls = vec![(Micros(8_000_000), Micros(16_000_000))];
        let path =
            Path { stalls: if stopped == Stopped::Process { stalls } else { vec![] }, ..Path::new(50.0, 50) };
        let mut desk = Desk::new(&path, Busy::Both, 1, Latency::Adaptive);
        desk.work(7.5);
        if stopped == Stopped::Computer {
            // The client's clock stood still; the agent's did not.
            desk.pair.agent.clock_ahead += 3_600_000_000;
        }
        let after = if stopped == Stopped::Process { 11.0 } else { 3.0 };
        desk.work(after).work(4.0);
        let (shares, measured) = (desk.shares(4.0), desk.measured(4.0));
        eprintln!("{stopped:?} slept: {shares:.3?} {measured:.3?}");
        assert!(shares.iter().all(|share| *share > 0.9), "{stopped:?}: {shares:?}");
        assert!(measured.p95 < 2.0, "{stopped:?}: {measured:?}");
    }
}

/// What slept.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Stopped {
    Process,
    Computer,
}

#[test]
fn bursts_find_the_rate_that_the_last_one_left() {
    let path = Path::new(50.0, 50);
    let mut desk = Desk::new(&path, Busy::Up, 0, Latency::Adaptive);
    let id = desk.pair.open(Program::default());
    desk.bulk.push(id);
    for burst in 0..4 {
        let start = desk.pair.now;
        let before = desk.pair.agent.programs.get(&id).map_or(0, |program| program.received);
        desk.pair.client.say(id, ENDLESS);
        desk.work(2.0);
        desk.pair.client.programs.get_mut(&id).expect("a program").to_send = 0;
        let moved = desk.pair.agent.program(id).received - before;
        let share = moved as f64 / path.carries(start, desk.pair.now);
        eprintln!("burst {burst}: {share:.3}");
        assert!(share > if burst == 0 { 0.75 } else { 0.9 }, "burst {burst}: {share}");
        desk.pair.drive_for(3_000);
    }
}

#[test]
fn a_person_who_typed_first_does_not_make_the_link_look_slow() {
    let path = Path::new(50.0, 50);
    let mut desk = Desk::new(&path, Busy::Up, 0, Latency::Adaptive);
    desk.work(5.0);
    let id = desk.pair.open(Program { to_send: ENDLESS, ..Program::default() });
    desk.bulk.push(id);
    desk.work(2.0);
    let share = desk.pair.agent.program(id).received as f64 / path.carries(Micros(0), Micros(2_000_000));
    eprintln!("bulk after 5 s of keystrokes: {share:.3} in its first 2 s");
    assert!(share > 0.75, "{share}");
}

#[test]
fn a_connection_made_beside_bulk_is_as_quick_as_a_keystroke() {
    for (rate, round_trip) in [(2.0, 50), (20.0, 20), (50.0, 50)] {
        let path = Path::new(rate, round_trip);
        let mut desk = Desk::new(&path, Busy::Both, 8, Latency::Adaptive);
        desk.work(5.0);
        let mut waits = Vec::new();
        desk.pair.agent.serve = |_| Program { echoes: true, ..Program::default() };
        for _ in 0..40 {
            let start = desk.pair.now;
            let id = desk.pair.open(Program { to_send: 400, arrivals: Some(vec![]), ..Program::default() });
            desk.work(0.5);
            let arrivals = desk.pair.client.program(id).arrivals.as_ref().expect("it looks at the clock");
            let answered =
                arrivals.iter().find(|(_, received)| *received == 400).expect("answered in half a second").0;
            waits.push((answered.0 - start.0) as f64 / (2.0 * path.delay.0 as f64));
        }
        waits.sort_by(f64::total_cmp);
        let (p50, p95) = (percentile(&waits, 0.5), percentile(&waits, 0.95));
        eprintln!("{rate} Mbit/s {round_trip} ms: request and answer {p50:.2} {p95:.2}");
        assert!(p50 < 1.9 && p95 < 2.4, "{rate}: {p50} {p95}");
    }
}

#[test]
fn a_reader_that_stops_after_its_window_has_grown_costs_that_and_stalls_nobody() {
    let path = Path::new(100.0, 50);
    let mut desk = Desk::new(&path, Busy::Up, 2, Latency::Adaptive);
    desk.work(5.0);
    let stopped = desk.bulk[0];
    desk.pair.agent.programs.get_mut(&stopped).expect("a program").reads = false;
    desk.work(6.0);
    let unread = desk.pair.agent.mux.stats().unread;
    let measured = desk.measured(4.0);
    eprintln!("stopped at {unread} bytes; the other: {measured:.3?}");
    assert!(unread > 500_000 && unread <= 5 << 19, "{unread}");
    assert!(measured.share > 0.96 && measured.p50 < 1.3, "{measured:?}");
}

#[test]
fn readers_that_stop_one_after_the_other_hold_no_more_than_the_bound() {
    let mut desk = Desk::new(&Path::new(1000.0, 5), Busy::Up, 100, Latency::Adaptive);
    for turn in 0..100 {
        desk.work(0.1);
        let id = desk.bulk[turn];
        desk.pair.agent.programs.get_mut(&id).expect("a program").reads = false;
    }
    desk.work(1.0);
    let stats = desk.pair.agent.mux.stats();
    eprintln!("100 stopped readers leave {} bytes", stats.unread);
    assert!(stats.unread > 16 << 20 && stats.unread <= (32 << 20) + 101 * (4 << 10), "{stats:?}");
    assert!(desk.pair.client.mux.stats().buffered < 4 << 10);
}

#[test]
fn a_fixed_limit_is_kept_and_no_limit_is_the_links_rate() {
    let path = Path::new(50.0, 50);
    let mut results = Vec::new();
    for latency in [Latency::Fixed(32 << 10), Latency::Unlimited, Latency::Adaptive] {
        let mut desk = Desk::new(&path, Busy::Down, 1, latency);
        desk.work(8.0);
        eprintln!("{latency:?}: {:.3?}", desk.measured(5.0));
        results.push(desk.measured(5.0));
    }
    let [fixed, unlimited, adaptive] = &results[..] else { unreachable!("three") };
    // 32 KiB a round trip of 50 ms are 5.2 Mbit/s.
    assert!((0.08..0.12).contains(&fixed.share) && fixed.p95 < 1.2, "{fixed:?}");
    assert!(unlimited.share > 0.97 && unlimited.p50 > 4.0, "{unlimited:?}");
    assert!(adaptive.share > 0.99 * unlimited.share, "{adaptive:?} {unlimited:?}");
}

fn paths() -> impl Strategy<Value = Path> {
    // Rates on a scale of their own: as many slow links as fast ones.
    (-2.0f64..9.0, 2u64..300, 1.2f64..3.0, any::<u32>()).prop_map(|(rate, round_trip, buffer, ahead)| {
        let buffer_ms = 40 + (round_trip as f64 * buffer) as u64;
        Path { buffer_ms, ahead, ..Path::new(rate.exp2(), round_trip) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    })]

    /// The buffers hold what Startup overshoots, one round trip: what is above one TCP takes for loss, and the model of it is
    /// slow to recover.
    #[test]
    fn on_any_link_bulk_gets_the_rate_and_a_keystroke_waits_little(path in paths(), streams in 1usize..6) {
        let mut desk = Desk::new(&path, Busy::Up, streams, Latency::Adaptive);
        desk.work(10.0);
        let measured = desk.measured(5.0);
        let round_trip = 2.0 * path.delay.0 as f64 / 1e6;
        let (rate, added) = (path.rates[0].1 as f64, (measured.p50 - 1.0) * round_trip);
        // Under ssh's window of 2 MiB for a round trip.
        let possible = (1.9 * 8.0 * 1024.0 * 1024.0 / (1.2 * round_trip) / rate).min(1.0);
        prop_assert!(measured.share > 0.8 * possible, "{rate} {round_trip}: {measured:?}");
        // A quarter of the round trip, 6 ms, and three segments.
        let allowed = 0.25 * round_trip + 0.006 + 3.0 * 1500.0 * 8.0 / rate;
        prop_assert!(added < allowed, "{rate} {round_trip}: {added} of {allowed}, {measured:?}");
        prop_assert!(desk.pair.client.peak.buffered < 8 << 10);
    }
}
