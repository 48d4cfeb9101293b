//! Who waits for whom.

use bytes::Bytes;
use ropeway_mux::{Latency, StreamId};

use crate::{
    drive,
    link::{Link, Random},
    pair::{Pair, Program, Side},
};

fn received(side: &Side, ids: &[StreamId]) -> Vec<f64> {
    ids.iter().map(|id| side.program(*id).received as f64).collect()
}

/// 1 when all have the same, 1/n when one has all (Jain's index).
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn bulk_streams_share_equally_in_both_directions() {
    let mut pair = Pair::new(&Link::new(50, 20));
    pair.agent.serve = |_| Program { to_send: 1 << 30, ..Program::default() };
    let ids: Vec<_> =
        (0..20).map(|_| pair.open(Program { to_send: 1 << 30, ..Program::default() })).collect();
    pair.drive_for(10_000);
    for side in [&pair.client, &pair.agent] {
        let shares = received(side, &ids);
        assert!(jain(&shares) > 0.995, "{shares:?}");
        assert!(shares.iter().sum::<f64>() > 0.9 * 50.0 * 125_000.0 * 10.0, "and the link is full");
    }
}

#[test]
fn a_stream_that_comes_later_gets_its_share_too() {
    let mut pair = Pair::new(&Link::new(50, 20));
    let early: Vec<_> =
        (0..4).map(|_| pair.open(Program { to_send: 1 << 30, ..Program::default() })).collect();
    pair.drive_for(3_000);
    let before = received(&pair.agent, &early);
    let late = pair.open(Program { to_send: 1 << 30, ..Program::default() });
    pair.drive_for(5_000);
    let mut shares: Vec<_> =
        received(&pair.agent, &early).iter().zip(before).map(|(now, then)| now - then).collect();
    shares.push(pair.agent.program(late).received as f64);
    assert!(jain(&shares) > 0.99, "{shares:?}");
}

/// The most that went ahead of any of 50 keystrokes, counted in the pipe: what was written between the moment at which
/// the program typed and the keystroke's own frame.
fn most_ahead_of_a_keystroke(bulk: usize, link: &Link) -> u64 {
    let mut pair = Pair::new(link);
    let keys = pair.open(Program::default());
    for _ in 0..bulk {
        pair.open(Program { to_send: 1 << 30, ..Program::default() });
    }
    pair.drive_for(2_000);
    let mut random = Random(42);
    let mut most = 0;
    for typed in 1..=50 {
        pair.drive_for(10 + random.below(90) as u64);
        let written = pair.client.mux.stats().sent;
        pair.client.say(keys, 1);
        while pair.agent.program(keys).received < typed {
            pair.drive_for(1);
        }
        // What arrived together with it, at most a millisecond of the link, is counted as ahead.
        most = most.max(pair.agent.mux.stats().received.saturating_sub(written));
    }
    most
}

#[test]
fn a_keystroke_waits_for_nobody_however_many_are_busy() {
    for bulk in [1, 3, 50] {
        // The pipe takes little, so most of the wait is ours.
        let link = Link { buffer: 64 << 10, piece: 1448, ..Link::new(20, 10) };
        let ahead = most_ahead_of_a_keystroke(bulk, &link);
        assert!(ahead <= 2 * (16 << 10), "{ahead} bytes ahead with {bulk} busy streams");
    }
}

#[test]
fn a_keystroke_does_not_wait_for_an_acknowledgement() {
    let fixed = |config| ropeway_mux::Config { latency: Latency::Fixed(1 << 20), ..config };
    let mut pair = Pair::with(&Link { buffer: 4 << 20, ..Link::new(20, 100) }, fixed);
    let keys = pair.open(Program::default());
    for _ in 0..3 {
        pair.open(Program { to_send: 1 << 30, ..Program::default() });
    }
    pair.drive_for(2_000);
    let mux = &mut pair.client.mux;
    let nothing = drive::transmit(mux, pair.now, &mut drive::Endless(b'x'));
    assert_eq!(nothing, b"", "bulk has filled its part of the limit");
    mux.ready(keys);
    assert_eq!(drive::transmit(mux, pair.now, &mut One), crate::wire::data(1, b"x"));
}

/// A program with one byte to say.
struct One;

impl ropeway_mux::Source for One {
    fn read(&mut self, _: StreamId, buffer: &mut [u8]) -> ropeway_mux::Supply {
        buffer[0] = b'x';
        ropeway_mux::Supply::Bytes { count: 1, more: false }
    }
}

#[test]
fn a_stopped_reader_costs_its_window_and_stalls_nobody() {
    let mut pair = Pair::new(&Link::new(100, 10));
    pair.agent.serve = |id| if id.0 <= 5 { Program::stopped() } else { Program::default() };
    let stopped: Vec<_> = (0..5).map(|_| pair.open(Program::sends(100_000_000))).collect();
    pair.drive_for(1_000);
    let going = pair.open(Program::sends(20_000_000));
    pair.drive_for(2_000);
    assert_eq!(pair.agent.program(going).received, 20_000_000, "1.6 s at full rate");
    for id in stopped {
        let unread = pair.agent.program(id).unread;
        assert!(unread > 50_000 && unread <= 64 << 10, "{unread}");
    }
}

#[test]
fn a_reader_that_goes_on_gets_the_rest() {
    let mut pair = Pair::new(&Link::new(100, 10));
    pair.agent.serve = |_| Program { finishes: true, ..Program::stopped() };
    let id = pair.open(Program::sends(5_000_000));
    pair.drive_for(500);
    pair.agent.read_on(id, pair.now);
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 5_000_000);
    assert_eq!(pair.agent.mux.stats().streams, 0);
}

#[test]
fn one_stream_fills_a_long_link_as_far_as_the_limit_allows() {
    let mut pair = Pair::new(&Link::new(50, 50));
    let id = pair.open(Program { to_send: 1 << 30, ..Program::default() });
    pair.drive_for(2_000);
    let before = pair.agent.program(id).received;
    pair.drive_for(4_000);
    let rate = (pair.agent.program(id).received - before) as f64 / 4.0 * 8.0 / 1e6;
    assert!(rate > 48.0, "{rate} Mbit/s of 50");
}

#[test]
fn a_new_connection_is_asked_for_while_everything_is_busy() {
    let mut pair = Pair::new(&Link::new(20, 10));
    for _ in 0..10 {
        pair.open(Program { to_send: 1 << 30, ..Program::default() });
    }
    pair.drive_for(3_000);
    let written = pair.client.mux.stats().sent;
    let id = pair.open(Program { to_send: 300, ..Program::default() });
    while !pair.agent.program_exists(id) {
        pair.drive_for(1);
    }
    let ahead = pair.agent.mux.stats().received - written;
    assert!(ahead < 4 << 10, "{ahead} bytes went ahead of the request");
}

#[test]
fn a_pipe_that_takes_one_byte_at_a_time_still_carries_everything() {
    let link = Link { buffer: 1, ..Link::new(1, 1) };
    let mut pair = Pair::new(&link);
    let id = pair.open(Program::sends(5_000));
    assert!(pair.client.mux.send_control(1, Bytes::from(vec![0; 2_000])));
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 5_000);
}
