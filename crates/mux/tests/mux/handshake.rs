//! The start: noise before the marker, versions, and nothing said to a stranger.

use ropeway_mux::{Config, Connection, Error, Event, Micros, Role};

use crate::{
    drive::{receive, transmitted},
    link::Link,
    pair::{Pair, Program, target},
    wire,
};

const NOW: Micros = Micros(0);

fn connection(role: Role) -> Connection {
    Connection::new(Config::new(role))
}

#[test]
fn noise_before_the_marker_is_passed_over_in_any_pieces() {
    let noise = b"Last login: Sun Nov 22\r\n\x1b[2J\0\xf5ropeway-agent \0\0".repeat(200);
    for piece in [1, 2, 3, 7, 16, 17, 1000] {
        let mut pair = Pair::new(&Link::new(100, 5).pieces(piece));
        pair.agent.print(&noise, NOW);
        let id = pair.open(Program::sends(10_000));
        pair.drive();
        assert!(pair.client.mux.is_ready());
        assert_eq!(pair.agent.program(id).received, 10_000);
    }
}

#[test]
fn a_quarter_of_a_mebibyte_of_noise_and_no_more() {
    let mut client = connection(Role::Client);
    assert_eq!(receive(&mut client, &vec![b'.'; 256 << 10], NOW), Ok(vec![]));
    assert_eq!(receive(&mut client, &wire::agent_greeting(), NOW), Ok(vec![Event::Ready]));
    let mut client = connection(Role::Client);
    let noise = vec![b'.'; (256 << 10) + 1];
    let error = receive(&mut client, &noise, NOW);
    assert_eq!(error, Err(Error::NoMarker((256 << 10) + 1)));
}

#[test]
fn the_client_is_silent_until_the_agent_has_spoken() {
    let mut client = connection(Role::Client);
    client.open(target(), NOW);
    client.ping(NOW);
    assert!(client.send_control(1, bytes::Bytes::from_static(b"secret")));
    assert_eq!(transmitted(&mut client), b"");
    receive(&mut client, b"$ sh: ropeway-agent: not found\n$ ", NOW).expect("noise");
    assert_eq!(transmitted(&mut client), b"");
    receive(&mut client, wire::MARKER, NOW).expect("the marker");
    assert!(transmitted(&mut client).starts_with(&wire::hello()));
    assert!(!client.is_ready());
    assert_eq!(receive(&mut client, &wire::hello(), NOW), Ok(vec![Event::Ready]));
    assert_eq!(transmitted(&mut client)[0], wire::OPEN);
}

#[test]
fn the_agent_speaks_first_and_only_its_greeting() {
    let mut agent = connection(Role::Agent);
    assert!(agent.send_control(1, bytes::Bytes::from_static(b"early")));
    assert_eq!(transmitted(&mut agent), wire::agent_greeting());
    assert_eq!(transmitted(&mut agent), b"");
}

#[test]
fn another_epoch_is_a_clear_error() {
    let mut agent = connection(Role::Agent);
    let hello = wire::frame(wire::HELLO, &[&[2, 0, 0]]);
    assert_eq!(receive(&mut agent, &hello, NOW), Err(Error::Version { ours: 1, theirs: 2 }));
}

#[test]
fn a_later_revision_with_more_to_say_is_welcome() {
    let mut agent = connection(Role::Agent);
    let hello = wire::frame(wire::HELLO, &[&[1], &wire::varint(77), &wire::varint(u64::MAX), b"and more"]);
    assert_eq!(receive(&mut agent, &hello, NOW), Ok(vec![Event::Ready]));
    assert!(agent.is_ready());
}

#[test]
fn hello_comes_first_and_once() {
    let mut agent = connection(Role::Agent);
    assert_eq!(receive(&mut agent, &wire::open(1, 4096), NOW), Err(Error::Unexpected("OPEN")));
    let mut agent = connection(Role::Agent);
    assert_eq!(receive(&mut agent, &wire::data(1, b"x"), NOW), Err(Error::Unexpected("DATA")));
    let mut agent = connection(Role::Agent);
    let twice = [wire::hello(), wire::hello()].concat();
    assert_eq!(receive(&mut agent, &twice, NOW), Err(Error::Unexpected("HELLO")));
}

#[test]
fn a_dead_connection_stays_dead() {
    let mut agent = connection(Role::Agent);
    receive(&mut agent, &[0x7f], NOW).expect_err("no such kind");
    assert_eq!(receive(&mut agent, &wire::hello(), NOW), Err(Error::UnknownKind(0x7f)));
    assert_eq!(transmitted(&mut agent), b"");
}

#[test]
fn a_hello_of_the_first_revision_is_understood() {
    let mut agent = connection(Role::Agent);
    receive(&mut agent, &wire::frame(wire::HELLO, &[&[1, 0, 0]]), NOW).expect("an older client");
    assert!(agent.is_ready());
    assert_eq!(agent.peer_has_aes(), Some(false));
}

#[test]
fn each_end_hears_whether_the_other_has_aes() {
    let mut agent = Connection::new(Config { hardware_aes: true, ..Config::new(Role::Agent) });
    let mut client = connection(Role::Client);
    assert_eq!(client.peer_has_aes(), None);
    receive(&mut client, &transmitted(&mut agent), NOW).expect("the greeting");
    receive(&mut agent, &transmitted(&mut client), NOW).expect("the greeting");
    assert_eq!((client.peer_has_aes(), agent.peer_has_aes()), (Some(true), Some(false)));
}
