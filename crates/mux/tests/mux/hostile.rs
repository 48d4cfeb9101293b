//! A peer that is not ours, or not honest: an error, never a panic, and never more memory than the limits say.

use proptest::{collection::vec, prelude::*, sample::select};
use ropeway_mux::{Config, Connection, Error, Event, Micros, Role, StreamId};

use crate::{
    drive::{Endless, receive, transmit, transmitted},
    link::{Damage, Link},
    pair::{Pair, Program, target},
    wire,
};

const NOW: Micros = Micros(0);

/// An agent that has been greeted.
fn agent() -> Connection {
    let mut agent = Connection::new(Config::new(Role::Agent));
    receive(&mut agent, &wire::hello(), NOW).expect("greeting");
    agent
}

/// A client that has been greeted and has asked for stream 1.
fn client() -> Connection {
    let mut client = Connection::new(Config::new(Role::Client));
    receive(&mut client, &wire::agent_greeting(), NOW).expect("greeting");
    client.open(target(), NOW);
    transmitted(&mut client);
    client
}

fn fed(mut mux: Connection, frames: &[Vec<u8>]) -> Result<(), Error> {
    receive(&mut mux, &frames.concat(), NOW).map(drop)
}

fn to_agent(frames: &[Vec<u8>]) -> Result<(), Error> {
    fed(agent(), frames)
}

fn to_client(frames: &[Vec<u8>]) -> Result<(), Error> {
    fed(client(), frames)
}

fn opened(id: u64, limit: u64) -> Vec<u8> {
    wire::frame(wire::OPENED, &[&wire::varint(id), &wire::varint(limit)])
}

fn eof(id: u64) -> Vec<u8> {
    wire::frame(wire::EOF, &[&wire::varint(id)])
}

#[test]
fn the_layout_is_the_one_of_the_page() {
    let mut agent = agent();
    let mut frames = [
        wire::open(1, 4096),
        wire::frame(wire::OPEN, &[&[2, 0, 6], &[0x20; 16], &[0, 53]]),
        wire::data(1, b"hello"),
        wire::frame(wire::CONTROL, &[&[9], b"list"]),
        eof(1),
        wire::frame(wire::RESET, &[&[1], &[7]]),
    ];
    frames[5][2] = 2;
    let bytes = frames.concat();
    let events = receive(&mut agent, &bytes, NOW).expect("all well formed");
    let expected = [
        Event::Incoming { id: StreamId(1), target: target() },
        Event::Incoming {
            id: StreamId(2),
            target: "[2020:2020:2020:2020:2020:2020:2020:2020]:53".parse().unwrap(),
        },
        Event::Data { id: StreamId(1), data: b"hello" },
        Event::Control { kind: 9, data: (&b"list"[..]).into() },
        Event::Eof { id: StreamId(1) },
        Event::Reset { id: StreamId(2), reason: ropeway_mux::Reason::Reset },
    ];
    assert_eq!(events, expected);
}

#[test]
fn streams_that_were_never_opened_are_an_error() {
    for frame in [
        wire::data(1, b"x"),
        eof(1),
        wire::frame(wire::WINDOW, &[&[1, 0]]),
        wire::frame(wire::RESET, &[&[1, 0]]),
    ] {
        assert_eq!(to_agent(&[frame]), Err(Error::UnknownStream(1)));
    }
    assert_eq!(to_agent(&[wire::open(1, 0), wire::data(0, b"x")]), Err(Error::UnknownStream(0)));
    assert_eq!(to_client(&[opened(2, 5000)]), Err(Error::UnknownStream(2)));
    let mut client = client();
    let unsent = client.open(target(), NOW).expect("there is room");
    assert_eq!(
        fed(client, &[opened(2, 5000)]),
        Err(Error::UnknownStream(unsent.0)),
        "asked for, but not written yet"
    );
}

#[test]
fn ids_are_not_used_again() {
    assert_eq!(to_agent(&[wire::open(5, 0), wire::open(5, 0)]), Err(Error::Unexpected("OPEN")));
    assert_eq!(to_agent(&[wire::open(5, 0), wire::open(4, 0)]), Err(Error::Unexpected("OPEN")));
    assert_eq!(to_agent(&[wire::open(0, 0)]), Err(Error::Unexpected("OPEN")));
    assert_eq!(to_agent(&[wire::open(5, 0), wire::open(9, 0)]), Ok(()));
}

#[test]
fn frames_of_the_wrong_end_are_an_error() {
    assert_eq!(to_client(&[wire::open(3, 0)]), Err(Error::Unexpected("OPEN")));
    assert_eq!(to_agent(&[wire::open(1, 0), opened(1, 0)]), Err(Error::Unexpected("OPENED")));
    let refused = wire::frame(wire::REFUSED, &[&[1, 0]]);
    assert_eq!(to_agent(&[wire::open(1, 0), refused.clone()]), Err(Error::Unexpected("REFUSED")));
    assert_eq!(to_client(&[opened(1, 5000), refused]), Err(Error::Unexpected("REFUSED")));
    assert_eq!(to_client(&[wire::frame(wire::PONG, &[&[0; 4]])]), Err(Error::Unexpected("PONG")));
}

#[test]
fn frames_at_the_wrong_time_are_an_error() {
    assert_eq!(to_client(&[wire::data(1, b"x")]), Err(Error::Unexpected("DATA")));
    assert_eq!(to_client(&[eof(1)]), Err(Error::Unexpected("EOF")));
    assert_eq!(to_client(&[opened(1, 5000), opened(1, 5000)]), Err(Error::Unexpected("OPENED")));
    assert_eq!(to_client(&[opened(1, 4095)]), Err(Error::Unexpected("OPENED")), "takes credit back");
    let shrinks = wire::frame(wire::WINDOW, &[&[1], &wire::varint(4999)]);
    assert_eq!(to_client(&[opened(1, 5000), shrinks]), Err(Error::Unexpected("WINDOW")));
    assert_eq!(to_agent(&[wire::open(1, 0), eof(1), eof(1)]), Err(Error::Unexpected("EOF")));
    assert_eq!(to_agent(&[wire::open(1, 0), eof(1), wire::data(1, b"x")]), Err(Error::Unexpected("DATA")));
}

#[test]
fn data_beyond_the_credit_is_an_error() {
    let frames: Vec<_> =
        std::iter::once(wire::open(1, 0)).chain((0..4).map(|_| wire::data(1, &[0; 16 << 10]))).collect();
    assert_eq!(to_agent(&frames), Ok(()), "64 KiB for the first stream");
    assert_eq!(to_agent(&[frames, vec![wire::data(1, b"x")]].concat()), Err(Error::Credit(1)));
}

#[test]
fn frames_that_are_too_long_are_noticed_by_their_head() {
    for kind in [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x80, 0x81, 0x82, 0x83] {
        let head = [&[kind][..], &wire::varint((64 << 10) + 6)].concat();
        assert!(matches!(to_agent(&[head]), Err(Error::TooLong { .. })), "{kind}");
        assert!(matches!(to_agent(&[vec![kind, 0xff, 0xff, 0xff]]), Err(Error::TooLong { .. })), "{kind}");
        assert!(
            matches!(to_agent(&[vec![kind, 0x80, 0x00]]), Err(Error::TooLong { .. })),
            "needless zero, {kind}"
        );
    }
}

#[test]
fn bodies_without_their_fields_are_an_error() {
    for kind in [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x81, 0x82, 0x83] {
        assert!(matches!(to_agent(&[wire::frame(kind, &[])]), Err(Error::Malformed(_))), "{kind}");
    }
    assert!(to_agent(&[wire::frame(0x81, &[&[0; 6]])]).is_err(), "one byte too many");
    assert!(to_agent(&[wire::data(1, b"")]).is_err(), "DATA without data");
    assert!(
        to_agent(&[wire::frame(wire::OPEN, &[&[1, 0, 5, 1, 2, 3, 4, 0, 80]])]).is_err(),
        "no such family"
    );
    assert!(to_agent(&[wire::frame(wire::EOF, &[&wire::varint(1 << 32)])]).is_err(), "an id of 33 bits");
}

#[test]
fn acknowledging_what_was_never_sent_is_an_error() {
    let ack = |received| wire::frame(wire::ACK, &[&wire::varint(received), &[0; 4]]);
    assert_eq!(to_agent(&[ack(0)]), Ok(()));
    assert_eq!(to_agent(&[ack(1)]), Err(Error::Acknowledged { received: 1, sent: 0 }));
    assert_eq!(to_client(&[ack(13)]), Ok(()), "OPEN has 13 bytes");
    assert_eq!(to_client(&[ack(13), ack(12)]), Err(Error::Acknowledged { received: 12, sent: 13 }));
}

#[test]
fn a_client_that_opens_for_ever_and_reads_nothing_is_cut_off() {
    let mut agent = agent();
    let mut error = None;
    for id in 1..200_000 {
        match receive(&mut agent, &wire::open(id, 0), NOW) {
            Ok(_) => agent.refuse(StreamId(id as u32), ropeway_mux::Reason::Refused),
            Err(flood) => {
                error = Some(flood);
                break;
            }
        }
    }
    assert_eq!(error, Some(Error::Flood));
    assert!(agent.stats().buffered < 2 << 20);
}

#[test]
fn pings_that_nobody_answers_cost_nothing() {
    let mut agent = agent();
    for token in 0..10_000u32 {
        receive(&mut agent, &wire::frame(0x82, &[&token.to_be_bytes()]), NOW).expect("well formed");
    }
    assert!(transmitted(&mut agent).len() < 100);
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_122),
        ..ProptestConfig::default()
    }
}

/// A frame that is nearly right.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let kind = select(vec![1u8, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0x80, 0x81, 0x82, 0x83, 0x84]);
    (kind, 0u64..6, 0u64..40_000, vec(any::<u8>(), 0..40)).prop_map(|(kind, id, limit, rest)| {
        wire::frame(kind, &[&wire::varint(id), &wire::varint(limit), &rest])
    })
}

fn damage(length: usize) -> impl Strategy<Value = Damage> {
    let count = 1usize..200;
    prop_oneof![
        (0..length, 1u8..=255).prop_map(|(at, mask)| Damage::Flip { at, mask }),
        (0..length, count.clone()).prop_map(|(at, count)| Damage::Lose { at, count }),
        (0..length, count).prop_map(|(at, count)| Damage::Repeat { at, count }),
        (0..length, vec(any::<u8>(), 1..100)).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
    ]
}

/// Whatever a peer sends: no panic, and the answer does not depend on how the bytes are cut.
fn judge(make: fn() -> Connection, bytes: &[u8], cut: usize) -> Result<(), TestCaseError> {
    let mut whole = make();
    let verdict = receive(&mut whole, bytes, NOW).map(drop);
    let mut pieces = make();
    let mut other = Ok(());
    for piece in bytes.chunks(cut) {
        other = receive(&mut pieces, piece, NOW).map(drop);
    }
    prop_assert_eq!(&verdict, &other);
    if verdict.is_ok() {
        prop_assert_eq!(whole.stats(), pieces.stats());
    }
    transmit(&mut whole, NOW, &mut Endless(0));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_at_all(bytes in vec(any::<u8>(), 0..300), cut in 1usize..20) {
        judge(agent, &bytes, cut)?;
        judge(client, &bytes, cut)?;
        judge(|| Connection::new(Config::new(Role::Client)), &bytes, cut)?;
    }

    #[test]
    fn frames_that_are_nearly_right(frames in vec(nearly(), 0..30), cut in 1usize..40) {
        judge(agent, &frames.concat(), cut)?;
        judge(client, &frames.concat(), cut)?;
    }

    #[test]
    fn a_conversation_damaged_at_any_place(damage in damage(30_000), to_agent in any::<bool>(), piece in 1usize..3000) {
        let mut pair = Pair::new(&Link::new(100, 1).pieces(piece));
        pair.client.checks = false;
        pair.agent.checks = false;
        let side = if to_agent { &mut pair.client } else { &mut pair.agent };
        side.damage(damage);
        pair.agent.serve = |_| Program { echoes: true, ..Program::sends(3_000) };
        for _ in 0..5 {
            pair.open(Program::sends(4_000));
        }
        pair.client.mux.send_datagram(1, bytes::Bytes::from(vec![0; 1000]), pair.now);
        pair.drive_to_the_bitter_end();
        for side in [&pair.client, &pair.agent] {
            prop_assert!(side.peak.buffered < 1 << 20 && side.peak.unread <= 2 << 20);
        }
    }
}
