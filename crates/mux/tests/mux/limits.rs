//! Bounds that hold whatever the programs and the other end do.

use ropeway_mux::{Config, Connection, Event, Latency, Micros, Reason, Role, StreamId};

use crate::{
    drive::{receive, transmitted},
    link::Link,
    pair::{Answer, Pair, Program},
    wire,
};

#[test]
fn in_flight_never_exceeds_the_limit() {
    for limit in [4 << 10, 32 << 10, 200_000, 1 << 20] {
        let latency = Latency::Fixed(limit);
        let limit = limit as usize;
        let mut pair = Pair::with(&Link::new(20, 100), |config| Config { latency, ..config });
        pair.agent.serve = |_| Program { to_send: 1 << 30, ..Program::default() };
        for _ in 0..30 {
            pair.open(Program { to_send: 1 << 30, ..Program::default() });
        }
        for flow in 0..2_000 {
            pair.client.mux.send_datagram(flow, bytes::Bytes::from(vec![0; 500]), pair.now);
            pair.drive_for(1);
        }
        for side in [&pair.client, &pair.agent] {
            let peak = side.peak.in_flight;
            assert!(peak <= limit + EXPRESS && peak > limit / 2, "{peak} of {limit}");
        }
    }
}

/// What small frames may have beyond the limit.
const EXPRESS: usize = 8 << 10;

#[test]
fn no_byte_of_a_stream_waits_in_the_mux() {
    let mut pair = Pair::new(&Link::new(1, 100));
    for _ in 0..100 {
        pair.open(Program { to_send: 1 << 30, ..Program::default() });
    }
    pair.drive_for(3_000);
    assert!(pair.client.peak.buffered <= 100 * 16, "100 OPENs: {}", pair.client.peak.buffered);
}

#[test]
fn readers_that_all_stop_hold_no_more_than_the_pool() {
    let mut pair = Pair::new(&Link::new(10_000, 1));
    pair.agent.serve = |_| Program::stopped();
    for _ in 0..2_000 {
        pair.open(Program { to_send: 1 << 20, ..Program::default() });
    }
    pair.drive();
    let unread = pair.agent.mux.stats().unread;
    assert_eq!(unread, pair.agent.programs.values().map(|program| program.unread).sum::<usize>());
    assert!(unread <= (16 << 20) + 2_000 * (4 << 10), "{unread}");
}

#[test]
fn windows_that_grew_stay_in_the_pool_too() {
    let mut pair = Pair::new(&Link::new(10_000, 1));
    let ids: Vec<_> =
        (0..200).map(|_| pair.open(Program { to_send: 8 << 20, ..Program::default() })).collect();
    pair.drive_for(400);
    for id in &ids {
        pair.agent.programs.get_mut(id).expect("a program").reads = false;
    }
    pair.drive();
    let unread = pair.agent.mux.stats().unread;
    assert!(unread > 16 << 20 && unread <= (32 << 20) + 200 * (4 << 10), "{unread}");
}

#[test]
fn more_streams_than_the_limit_are_refused_at_home() {
    let mut pair = Pair::new(&Link::new(1_000, 1));
    let mut open = |_| pair.client.mux.open(crate::pair::target(), Micros(0));
    let ids: Vec<_> = (0..=16 << 10).map(&mut open).collect();
    pair.drive();
    assert_eq!(ids.iter().position(Option::is_none), Some(16 << 10));
    assert_eq!(pair.agent.mux.stats().streams, 16 << 10);
    pair.client.mux.reset(ids[0].expect("the first"), Reason::Reset, pair.now);
    let next = pair.open(Program::default());
    pair.drive();
    assert!(pair.client.logged(&Event::Opened { id: next }), "room again");
}

#[test]
fn unread_bytes_count_until_they_are_read_though_both_ends_have_finished() {
    let mut pair = Pair::new(&Link::new(100, 1));
    pair.agent.serve = |_| Program { finishes: true, ..Program::stopped() };
    let id = pair.open(Program::sends(60_000));
    pair.drive();
    assert!(pair.agent.program(id).eof && pair.client.program(id).eof);
    assert_eq!((pair.agent.mux.stats().unread, pair.agent.mux.stats().streams), (60_000, 1));
    pair.agent.read_on(id, pair.now);
    assert_eq!((pair.agent.mux.stats().unread, pair.agent.mux.stats().streams), (0, 0));
}

#[test]
fn a_window_that_rises_twice_before_it_can_be_said_is_said_once() {
    let mut agent = Connection::new(Config::new(Role::Agent));
    receive(&mut agent, &[wire::hello(), wire::open(1, 0)].concat(), Micros(0)).expect("an honest client");
    agent.accept(StreamId(1));
    transmitted(&mut agent);
    for _ in 0..40 {
        receive(&mut agent, &wire::data(1, &[0; 16 << 10]), Micros(0)).expect("there is credit");
        agent.consumed(StreamId(1), 16 << 10, Micros(0));
    }
    let acknowledgement = wire::frame(wire::ACK, &[&wire::varint(agent.stats().received), &[0; 4]]);
    // 640 KiB in: at 16 it doubled to 128, at 48 to 256, at 112 to 512, at 240 to 1024, at 496 to 2048: the limit is the sum.
    let window = wire::frame(wire::WINDOW, &[&[1], &wire::varint((496 + 2048) << 10)]);
    assert_eq!(transmitted(&mut agent), [acknowledgement, window].concat());
}

#[test]
fn a_program_that_opens_and_resets_for_ever_is_bounded_while_the_pipe_stands_still() {
    let mut pair = Pair::new(&Link::new(1, 1));
    pair.agent.answer = Answer::Wait;
    pair.drive();
    for _ in 0..400_000 {
        let Some(id) = pair.client.mux.open(crate::pair::target(), pair.now) else { continue };
        pair.client.mux.ready(id);
        pair.client.mux.reset(id, Reason::Reset, pair.now);
    }
    let stats = pair.client.mux.stats();
    assert!(stats.streams == 0 && stats.buffered < 1 << 20, "{stats:?}");
}
