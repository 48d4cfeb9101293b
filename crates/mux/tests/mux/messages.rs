//! What is not a stream: datagrams, control messages, PING, and the measurements of acknowledgements.

use bytes::Bytes;
use ropeway_mux::{Event, Latency, Micros};

use crate::{
    link::Link,
    pair::{Pair, Program},
};

/// What small frames may have beyond the limit.
const EXPRESS: usize = 8 << 10;

fn datagrams(log: &[Event<'static>]) -> Vec<u32> {
    let flow = |event: &Event<'static>| match event {
        Event::Datagram { flow, .. } => Some(*flow),
        _ => None,
    };
    log.iter().filter_map(flow).collect()
}

#[test]
fn datagrams_of_any_size_arrive_whole() {
    let mut pair = Pair::new(&Link::new(100, 5).pieces(100));
    pair.drive();
    for (flow, size) in [(0, 0), (u32::MAX, 1), (7, 1472), (8, 64 << 10)] {
        let data = Bytes::from(vec![flow as u8; size]);
        assert!(pair.client.mux.send_datagram(flow, data.clone(), pair.now));
        pair.drive();
        assert_eq!(pair.agent.log.last(), Some(&Event::Datagram { flow, data }));
    }
    assert!(!pair.client.mux.send_datagram(1, Bytes::from(vec![0; (64 << 10) + 1]), pair.now));
}

#[test]
fn datagrams_go_ahead_of_bulk() {
    let mut pair = Pair::new(&Link::new(10, 20));
    pair.open(Program::sends(20_000_000));
    pair.drive_for(3_000);
    pair.client.mux.send_datagram(1, Bytes::from_static(b"question"), pair.now);
    let committed = pair.client.mux.stats().sent;
    while datagrams(&pair.agent.log).is_empty() {
        pair.drive_for(1);
    }
    let waited = pair.agent.mux.stats().received - committed;
    assert!(waited < 4 << 10, "only what was written before it: {waited}");
}

#[test]
fn a_flood_of_datagrams_takes_its_turn_with_streams_and_drops_the_oldest() {
    let mut pair = Pair::new(&Link::new(10, 20));
    let id = pair.open(Program::sends(20_000_000));
    pair.drive_for(1_000);
    let before = pair.agent.program(id).received;
    let mut sent = 0;
    for _ in 0..4_000 {
        for _ in 0..3 {
            pair.client.mux.send_datagram(sent, Bytes::from(vec![0; 1_200]), pair.now);
            sent += 1;
        }
        pair.drive_for(1);
    }
    let stream = pair.agent.program(id).received - before;
    let flows = datagrams(&pair.agent.log);
    let share = stream as f64 / (stream + flows.len() * 1_200) as f64;
    assert!((0.4..0.65).contains(&share), "the stream's share is {share}");
    assert!(flows.len() > 1_000 && flows.is_sorted() && flows.len() < sent as usize);
    assert!(flows.last().is_some_and(|last| sent - last < 2_000), "the youngest are kept");
}

#[test]
fn datagrams_that_waited_too_long_are_not_sent() {
    let mut pair = Pair::new(&Link::new(10, 20));
    let queued = Micros(1_000_000);
    pair.client.mux.send_datagram(1, Bytes::from_static(b"too early"), queued);
    assert_eq!(pair.client.mux.next_deadline(), Some(Micros(3_000_000)));
    pair.client.mux.expire(Micros(3_000_000));
    assert_eq!(pair.client.mux.next_deadline(), None);
    pair.drive();
    assert_eq!(datagrams(&pair.agent.log), []);
}

#[test]
fn control_messages_arrive_in_order_in_both_directions() {
    let mut pair = Pair::new(&Link::new(100, 5).pieces(1000));
    let sizes = [0, 1, 127, 128, 64 << 10];
    let message = |kind: usize| Event::Control { kind: kind as u8, data: Bytes::from(vec![9; sizes[kind]]) };
    for side in [&mut pair.client, &mut pair.agent] {
        for (kind, size) in sizes.into_iter().enumerate() {
            assert!(side.mux.send_control(kind as u8, Bytes::from(vec![9; size])));
        }
    }
    pair.drive();
    let expected: Vec<_> = [Event::Ready].into_iter().chain((0..sizes.len()).map(message)).collect();
    assert_eq!(pair.client.log, expected);
    assert_eq!(pair.agent.log, expected);
}

#[test]
fn control_messages_that_nobody_takes_are_bounded() {
    let mut pair = Pair::new(&Link::new(100, 5));
    assert!(!pair.client.mux.send_control(1, Bytes::from(vec![0; (64 << 10) + 1])), "too large for a frame");
    for size in [0, 64 << 10] {
        while pair.client.mux.send_control(1, Bytes::from(vec![0; size])) {}
        assert!(pair.client.mux.stats().buffered <= 256 << 10);
    }
    pair.drive();
    assert!(pair.client.mux.send_control(1, Bytes::new()), "room again");
}

#[test]
fn a_control_message_larger_than_the_free_room_still_goes_and_first() {
    let mut pair = Pair::with(&Link::new(10, 20), |config| ropeway_mux::Config {
        latency: Latency::Fixed(96 << 10),
        ..config
    });
    pair.open(Program::sends(3_000_000));
    pair.drive_for(500);
    let message = Event::Control { kind: 3, data: Bytes::from(vec![1; 64 << 10]) };
    assert!(pair.client.mux.send_control(3, Bytes::from(vec![1; 64 << 10])));
    pair.drive_for(250);
    assert!(pair.agent.logged(&message));
    assert!(pair.client.peak.in_flight <= (96 << 10) + EXPRESS);
}

#[test]
fn a_ping_measures_the_round_trip_even_when_nothing_may_be_in_flight() {
    let mut pair = Pair::new(&Link::new(100, 30));
    pair.drive();
    pair.client.mux.ping(pair.now);
    pair.client.mux.ping(pair.now);
    pair.drive();
    let pongs: Vec<_> = pair.client.log.iter().filter(|event| matches!(event, Event::Pong { .. })).collect();
    let [Event::Pong { round_trip }] = pongs[..] else { panic!("one answer to two calls: {pongs:?}") };
    assert!((60_000..60_100).contains(&round_trip.0), "{round_trip:?}");
    pair.agent.mux.ping(pair.now);
    pair.drive();
    assert!(matches!(pair.agent.log.last(), Some(Event::Pong { .. })), "both ends may ask, again and again");
}

#[test]
fn acknowledgements_measure_round_trip_and_queue() {
    let fixed = |config| ropeway_mux::Config { latency: Latency::Fixed(1 << 20), ..config };
    let mut pair = Pair::with(&Link { buffer: 4 << 20, ..Link::new(10, 30) }, fixed);
    pair.open(Program::sends(1_000));
    pair.drive();
    let idle = pair.client.mux.stats();
    assert!(idle.round_trip.is_some_and(|round_trip| (60_000..65_000).contains(&round_trip.0)), "{idle:?}");
    assert_eq!((idle.acked, idle.waiting_since), (idle.sent, None));
    pair.open(Program::sends(10_000_000));
    pair.drive_for(4_000);
    let busy = pair.client.mux.stats();
    let queue = busy.queue.expect("measured").0;
    assert!((500_000..900_000).contains(&queue), "1 MiB at 10 Mbit/s is 839 ms: {queue}");
    assert!(busy.waiting_since.is_some_and(|since| pair.now.0 - since.0 < 1_000_000));
}

#[test]
fn one_batch_is_acknowledged_once() {
    let mut pair = Pair::new(&Link::new(10_000, 1).pieces(64 << 10));
    let id = pair.open(Program::sends(8 << 20));
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 8 << 20);
    let acknowledgements = pair.agent.mux.stats();
    assert_eq!(acknowledgements.received, pair.client.mux.stats().sent);
    assert_eq!(pair.client.mux.stats().in_flight, 0, "the last byte is acknowledged too");
}
