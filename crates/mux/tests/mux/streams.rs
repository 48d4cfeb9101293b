//! The life of a stream: opened, refused, half closed, reset, one thousand at once.

use ropeway_mux::{Event, Reason};

use crate::{
    link::Link,
    pair::{Answer, Pair, Program, target},
};

fn quick() -> Link {
    Link::new(100, 10)
}

#[test]
fn bytes_go_both_ways_and_both_ends_forget_the_stream() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program::sends(3_000_000);
    let id = pair.open(Program::sends(2_000_000));
    pair.drive();
    assert_eq!(pair.agent.log, [Event::Ready, Event::Incoming { id, target: target() }, Event::Eof { id }]);
    assert_eq!(pair.client.log, [Event::Ready, Event::Opened { id }, Event::Eof { id }]);
    assert_eq!(pair.agent.program(id).received, 2_000_000);
    assert_eq!(pair.client.program(id).received, 3_000_000);
    for side in [&pair.client, &pair.agent] {
        let stats = side.mux.stats();
        assert_eq!((stats.streams, stats.unread, stats.buffered, stats.in_flight), (0, 0, 0, 0));
    }
}

#[test]
fn what_the_program_says_first_travels_with_the_request() {
    let mut pair = Pair::new(&quick());
    pair.drive();
    let start = pair.now;
    pair.agent.answer = Answer::Wait;
    let id = pair.open(Program { to_send: 10_000, ..Program::default() });
    pair.drive();
    let early = pair.agent.program(id).received;
    assert_eq!(early, 4 << 10, "what every stream may send unasked");
    assert!(pair.now.0 - start.0 < 25_000, "one way and the acknowledgement");
    pair.agent.mux.accept(id);
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 10_000);
}

#[test]
fn a_refusal_carries_its_reason() {
    let reasons = [
        Reason::Refused,
        Reason::HostUnreachable,
        Reason::NetworkUnreachable,
        Reason::TimedOut,
        Reason::Prohibited,
        Reason::Exhausted,
        Reason::Reset,
        Reason::Failed,
    ];
    for reason in reasons {
        let mut pair = Pair::new(&quick());
        pair.agent.answer = Answer::Refuse(reason);
        let id = pair.open(Program::sends(100_000));
        pair.drive();
        assert_eq!(pair.client.log, [Event::Ready, Event::Refused { id, reason }]);
        assert_eq!(pair.client.program(id).received, 0);
        assert_eq!((pair.client.mux.stats().streams, pair.agent.mux.stats().streams), (0, 0));
        assert_eq!(pair.client.mux.stats().buffered, 0);
    }
}

#[test]
fn the_client_may_end_its_half_and_hear_the_rest() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program { echoes: true, ..Program::default() };
    let id = pair.open(Program::sends(100_000));
    pair.drive();
    assert!(pair.agent.program(id).eof);
    assert!(!pair.client.program(id).eof);
    assert_eq!(pair.client.program(id).received, 100_000);
    pair.agent.run(id, Program { given: 100_000, received: 100_000, ..Program::sends(5_000) });
    pair.drive();
    assert!(pair.client.program(id).eof);
    assert_eq!(pair.client.program(id).received, 105_000);
}

#[test]
fn the_target_may_end_its_half_and_hear_the_rest() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program::sends(10);
    let id = pair.open(Program::default());
    pair.drive();
    assert!(pair.client.program(id).eof);
    pair.client.run(id, Program { received: 10, ..Program::sends(700_000) });
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 700_000);
    assert_eq!(pair.agent.mux.stats().streams, 0);
}

#[test]
fn end_of_file_comes_after_what_has_no_credit_yet() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program::stopped();
    let id = pair.open(Program::sends(600_000));
    pair.drive();
    assert!(!pair.agent.program(id).eof, "the reader stopped before the end");
    pair.agent.read_on(id, pair.now);
    pair.drive();
    assert!(pair.agent.program(id).eof);
    assert_eq!(pair.agent.program(id).received, 600_000);
}

#[test]
fn a_reset_ends_both_directions_and_drops_what_is_queued() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program { reads: false, ..Program::sends(10_000_000) };
    let id = pair.open(Program { reads: false, ..Program::sends(10_000_000) });
    pair.drive();
    pair.agent.mux.reset(id, Reason::Reset, pair.now);
    assert_eq!(pair.agent.mux.stats().streams, 0);
    pair.drive();
    assert_eq!(pair.client.log.last(), Some(&Event::Reset { id, reason: Reason::Reset }));
    for side in [&pair.client, &pair.agent] {
        let stats = side.mux.stats();
        assert_eq!((stats.streams, stats.unread, stats.buffered, stats.in_flight), (0, 0, 0, 0));
    }
}

#[test]
fn late_frames_of_a_stream_that_is_reset_are_no_error() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program::sends(5_000_000);
    let id = pair.open(Program::sends(5_000_000));
    for _ in 0..20 {
        pair.drive_for(7);
        if pair.agent.program_exists(id) && pair.agent.program(id).received > 1_000_000 {
            break;
        }
    }
    pair.client.mux.reset(id, Reason::Reset, pair.now);
    pair.drive();
    assert_eq!(pair.agent.log.last(), Some(&Event::Reset { id, reason: Reason::Reset }));
}

#[test]
fn both_ends_may_reset_at_once() {
    let mut pair = Pair::new(&quick());
    let id = pair.open(Program::default());
    pair.drive();
    pair.client.mux.reset(id, Reason::Reset, pair.now);
    pair.agent.mux.reset(id, Reason::TimedOut, pair.now);
    pair.drive();
    assert!(!pair.client.log.iter().chain(&pair.agent.log).any(|event| matches!(event, Event::Reset { .. })));
}

#[test]
fn a_stream_that_is_reset_before_it_was_asked_for_leaves_no_trace() {
    let mut pair = Pair::new(&quick());
    let id = pair.open(Program::sends(100));
    pair.client.mux.reset(id, Reason::Reset, pair.now);
    let next = pair.open(Program::sends(100));
    pair.drive();
    let incoming = Event::Incoming { id: next, target: target() };
    assert_eq!(pair.agent.log, [Event::Ready, incoming, Event::Eof { id: next }]);
}

#[test]
fn letting_go_of_a_stream_that_both_ends_have_finished_loses_nothing() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program { finishes: true, ..Program::stopped() };
    let id = pair.open(Program { reads: false, ..Program::sends(60_000) });
    pair.drive();
    assert!(pair.client.program(id).eof);
    pair.agent.read_on(id, pair.now);
    pair.drive_for(1);
    pair.client.mux.reset(id, Reason::Reset, pair.now);
    pair.drive();
    assert_eq!(pair.agent.program(id).received, 60_000);
    assert!(pair.agent.program(id).eof);
    assert_eq!(pair.client.mux.stats().streams, 0);
}

#[test]
fn five_hundred_at_once_all_open_and_all_finish() {
    let mut pair = Pair::new(&quick());
    pair.agent.serve = |_| Program { finishes: true, ..Program::sends(20_000) };
    let ids: Vec<_> = (0..500).map(|_| pair.open(Program::sends(500))).collect();
    pair.drive();
    for id in ids {
        assert_eq!((pair.client.program(id).received, pair.agent.program(id).received), (20_000, 500));
    }
    assert_eq!((pair.client.mux.stats().streams, pair.agent.mux.stats().streams), (0, 0));
}

#[test]
fn calls_for_a_stream_that_is_gone_do_nothing() {
    let mut pair = Pair::new(&quick());
    let id = pair.open(Program::default());
    pair.drive();
    pair.client.mux.reset(id, Reason::Reset, pair.now);
    pair.drive();
    let before = (pair.client.mux.stats(), pair.agent.mux.stats());
    let now = pair.now;
    for side in [&mut pair.client, &mut pair.agent] {
        side.mux.ready(id);
        side.mux.consumed(id, 1000, now);
        side.mux.accept(id);
        side.mux.refuse(id, Reason::Failed);
        side.mux.reset(id, Reason::Failed, now);
    }
    pair.drive();
    assert_eq!((pair.client.mux.stats(), pair.agent.mux.stats()), before);
}
