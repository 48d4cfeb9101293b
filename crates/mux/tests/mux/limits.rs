//! Bounds that hold whatever the programs and the other end do.

use bytes::BytesMut;
use ropeway_mux::{Config, Connection, Event, Micros, Reason, Role, StreamId};

use crate::{
    link::Link,
    pair::{Answer, Pair, Program},
    wire,
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
fn unread_bytes_count_until_they_are_read_though_both_ends_have_finished() {
    let mut pair = Pair::new(&Link::new(100, 1));
    pair.agent.serve = |_| Program { finishes: true, ..Program::stopped() };
    let id = pair.open(Program::sends(100_000));
    pair.drive();
    assert!(pair.agent.program(id).eof && pair.client.program(id).eof);
    assert_eq!((pair.agent.mux.stats().unread, pair.agent.mux.stats().streams), (100_000, 1));
    pair.agent.read_on(id);
    assert_eq!((pair.agent.mux.stats().unread, pair.agent.mux.stats().streams), (0, 0));
}

/// What `mux` writes now.
fn transmitted(mux: &mut Connection) -> Vec<u8> {
    let mut out = BytesMut::new();
    while mux.transmit(&mut out, 1 << 20, Micros(0)) > 0 {}
    out.to_vec()
}

#[test]
fn a_window_that_rises_twice_before_it_can_be_said_is_said_once() {
    let mut agent = Connection::new(Config::new(Role::Agent));
    agent.receive(&[wire::hello(), wire::open(1, 0)].concat(), Micros(0)).expect("an honest client");
    agent.accept(StreamId(1));
    transmitted(&mut agent);
    for _ in 0..40 {
        agent.receive(&wire::data(1, &[0; 16 << 10]), Micros(0)).expect("there is credit");
        agent.consumed(StreamId(1), 16 << 10);
    }
    let acknowledgement = wire::frame(wire::ACK, &[&wire::varint(agent.stats().received), &[0; 4]]);
    // 640 KiB in: at 128 it doubled to 512, at 384 to 1024, so the limit is 384 + 1024 KiB.
    let window = wire::frame(wire::WINDOW, &[&[1], &wire::varint(1408 << 10)]);
    assert_eq!(transmitted(&mut agent), [acknowledgement, window].concat());
}

#[test]
fn writable_means_at_least_half_a_frame() {
    let mut client = Connection::new(Config::new(Role::Client));
    client.receive(&wire::agent_greeting(), Micros(0)).expect("an honest agent");
    let id = client.open(crate::pair::target());
    client.send(id, vec![0; 16 << 10].into());
    assert_eq!(client.send_room(id), 0);
    let mut told = Vec::new();
    for limit in [4 << 10, 6 << 10, 8 << 10, 10 << 10] {
        transmitted(&mut client);
        let credit = wire::frame(wire::WINDOW, &[&[1], &wire::varint(limit)]);
        client.receive(&credit, Micros(0)).expect("an honest agent");
        transmitted(&mut client);
        let writable =
            std::iter::from_fn(|| client.next_event()).any(|event| event == Event::Writable { id });
        told.push((writable, client.send_room(id)));
    }
    assert_eq!(told, [(false, 4 << 10), (false, 6 << 10), (true, 8 << 10), (false, 10 << 10)]);
}

#[test]
fn a_program_that_opens_and_resets_for_ever_is_bounded_while_the_pipe_stands_still() {
    let mut pair = Pair::new(&Link::new(1, 1));
    pair.agent.answer = Answer::Wait;
    pair.drive();
    for _ in 0..400_000 {
        let id = pair.open(Program { to_send: 100, ..Program::default() });
        pair.client.mux.reset(id, Reason::Reset);
        pair.client.programs.clear();
        while pair.client.mux.next_event().is_some() {}
    }
    let stats = pair.client.mux.stats();
    assert!(stats.streams == 0 && stats.buffered < 1 << 20, "{stats:?}");
}
