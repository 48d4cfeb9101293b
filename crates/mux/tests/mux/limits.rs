//! Bounds that hold whatever the programs and the other end do.

use ropeway_mux::{Config, Event, Reason};

use crate::{
    link::Link,
    pair::{Answer, Pair, Program},
};

#[test]
fn in_flight_never_exceeds_the_limit() {
    for limit in [64 << 10, 200_000, 1 << 20] {
        let mut pair = Pair::with(&Link::new(20, 100), |config| Config { in_flight_limit: limit, ..config });
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
            assert!(peak <= limit && peak > limit - (20 << 10), "{peak} of {limit}");
        }
    }
}

#[test]
fn each_stream_queues_at_most_one_frame() {
    let mut pair = Pair::new(&Link::new(1, 100));
    let ids: Vec<_> =
        (0..100).map(|_| pair.open(Program { to_send: 1 << 30, ..Program::default() })).collect();
    pair.drive_for(3_000);
    assert!(ids.iter().all(|id| pair.client.mux.send_room(*id) <= 16 << 10));
    assert!(pair.client.peak.buffered <= 101 * (16 << 10), "{}", pair.client.peak.buffered);
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
    let ids: Vec<_> = (0..=16 << 10).map(|_| pair.client.mux.open(crate::pair::target())).collect();
    pair.drive();
    let refused = |id| Event::Refused { id, reason: Reason::Exhausted };
    assert!(pair.client.logged(&refused(ids[16 << 10])));
    assert!(!pair.client.logged(&refused(ids[(16 << 10) - 1])));
    assert_eq!(pair.agent.mux.stats().streams, 16 << 10);
    pair.client.mux.reset(ids[0], Reason::Reset);
    let next = pair.open(Program::default());
    pair.drive();
    assert!(pair.client.logged(&Event::Opened { id: next }), "room again");
}

#[test]
fn a_program_that_opens_and_resets_for_ever_is_bounded_while_the_pipe_stands_still() {
    let mut pair = Pair::new(&Link::new(1, 1));
    pair.agent.answer = Answer::Wait;
    pair.drive();
    for _ in 0..200_000 {
        let id = pair.open(Program { to_send: 100, ..Program::default() });
        pair.client.mux.reset(id, Reason::Reset);
        pair.client.programs.clear();
        while pair.client.mux.next_event().is_some() {}
    }
    let stats = pair.client.mux.stats();
    assert!(stats.streams == 0 && stats.buffered < 2 << 20, "{stats:?}");
}
