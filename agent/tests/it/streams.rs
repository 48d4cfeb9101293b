//! Bytes both ways, ends and resets of single connections, and that none disturbs another.

use std::io::ErrorKind;
use std::net::{IpAddr, Shutdown};

use ropeway_mux::Reason;

use crate::client::Client;
use crate::servers::{self, V4, V6};

const MEGABYTE: usize = 1 << 20;

#[test]
fn ten_megabytes_come_back_unchanged_over_ipv4() {
    echo_ten_megabytes(V4);
}

#[test]
fn ten_megabytes_come_back_unchanged_over_ipv6() {
    echo_ten_megabytes(V6);
}

fn echo_ten_megabytes(ip: IpAddr) {
    let mut client = Client::start();
    let id = client.connect(servers::echo(ip));
    let sent = servers::noise(10 * MEGABYTE);
    client.send(id, sent.clone());
    client.finish(id);
    client.wait("the echo", |client| client.stream(id).eof);
    assert!(client.stream(id).received == sent, "{} bytes came back", client.stream(id).received.len());
}

#[test]
fn a_socket_for_both_directions_works_as_two_pipes_do() {
    let (mut client, _theirs) = Client::start_on_a_socket();
    let id = client.connect(servers::echo(V4));
    let sent = servers::noise(MEGABYTE);
    client.send(id, sent.clone());
    client.finish(id);
    client.wait("the echo", |client| client.stream(id).eof);
    assert!(client.stream(id).received == sent);
}

#[test]
fn bytes_sent_behind_the_request_are_delivered_once_it_is_granted() {
    let mut client = Client::start();
    let id = client.open(servers::echo(V4));
    client.send(id, &b"early"[..]);
    client.finish(id);
    client.wait("the echo", |client| client.stream(id).eof);
    assert_eq!(client.stream(id).received, b"early");
}

#[test]
fn the_client_s_end_reaches_a_target_that_still_answers() {
    let (address, _) = servers::start(V4, |mut stream| {
        let (received, end) = servers::read_to_end(&mut stream);
        end.expect("a proper end");
        servers::write(&mut stream, format!("{} bytes", received.len()).as_bytes());
    });
    let mut client = Client::start();
    let id = client.connect(address);
    client.send(id, servers::noise(MEGABYTE));
    client.finish(id);
    client.wait("the answer and its end", |client| client.stream(id).eof);
    assert_eq!(client.stream(id).received, b"1048576 bytes");
}

#[test]
fn the_target_s_end_reaches_a_client_that_still_sends() {
    let (address, seen) = servers::start(V4, |mut stream| {
        servers::write(&mut stream, b"bye");
        stream.shutdown(Shutdown::Write).expect("an open socket");
        let (received, end) = servers::read_to_end(&mut stream);
        (received, end.is_ok())
    });
    let mut client = Client::start();
    let id = client.connect(address);
    client.wait("the target's end", |client| client.stream(id).eof);
    assert_eq!(client.stream(id).received, b"bye");

    let late = servers::noise(MEGABYTE);
    client.send(id, late.clone());
    client.finish(id);
    client.wait("everything to be sent", |client| client.unsent(id) == 0);
    let (received, proper_end) = seen.recv().expect("the target saw the end");
    assert!(received == late && proper_end);
}

#[test]
fn a_target_s_reset_reaches_the_client() {
    let (address, _) = servers::start(V4, |stream| servers::reset_on_close(&stream));
    let mut client = Client::start();
    let id = client.open(address);
    client.wait("the reset", |client| client.stream(id).reset.is_some());
    assert_eq!(client.stream(id).reset, Some(Reason::Reset));
    assert!(!client.stream(id).eof, "a reset must not look like a proper end");
}

/// So does a kernel, and a web server that refuses an upload counts on it.
#[test]
fn what_a_target_said_before_its_reset_is_delivered() {
    let answer = servers::noise(10_000);
    let said = answer.clone();
    let (address, _) = servers::start(V4, move |mut stream| {
        std::io::Read::read_exact(&mut stream, &mut [0]).expect("the first byte of many");
        servers::write(&mut stream, &said);
    });
    for _ in 0..20 {
        let mut client = Client::start();
        let id = client.connect(address);
        client.send(id, vec![0; MEGABYTE]);
        client.wait("the reset", |client| client.stream(id).reset.is_some());
        assert!(client.stream(id).received == answer, "{} bytes came", client.stream(id).received.len());
    }
}

#[test]
fn a_target_s_reset_is_seen_after_its_end_too() {
    let (address, _) = servers::start(V4, |mut stream| {
        stream.shutdown(Shutdown::Write).expect("an open socket");
        std::io::Read::read_exact(&mut stream, &mut [0]).expect("the client's word");
        servers::reset_on_close(&stream);
    });
    let mut client = Client::start();
    let id = client.connect(address);
    client.wait("the target's end", |client| client.stream(id).eof);
    client.send(id, &b"x"[..]);
    client.wait("the reset", |client| client.stream(id).reset.is_some());
    assert_eq!(client.stream(id).reset, Some(Reason::Reset));
}

#[test]
fn a_client_s_reset_reaches_the_target() {
    let (address, seen) = servers::start(V4, |mut stream| servers::read_to_end(&mut stream).1);
    let mut client = Client::start();
    let id = client.connect(address);
    client.reset(id);
    let other = client.connect(servers::echo(V4));
    let end = seen.recv().expect("the target saw an end");
    assert_eq!(end.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    assert!(client.stream(other).opened, "the others live on");
}

#[test]
fn a_reader_that_sleeps_costs_its_window_and_stalls_nobody() {
    let (endless, _) = servers::start(V4, |mut stream| {
        let block = vec![0; MEGABYTE];
        while std::io::Write::write_all(&mut stream, &block).is_ok() {}
    });
    let mut client = Client::start();
    let sleeper = client.connect(endless);
    client.stop_reading(sleeper);
    let id = client.connect(servers::echo(V4));
    let sent = servers::noise(4 * MEGABYTE);
    client.send(id, sent.clone());
    client.finish(id);
    client.wait("the other's echo", |client| client.stream(id).eof);
    assert!(client.stream(id).received == sent);
    assert!(client.unread() <= MEGABYTE, "{} bytes for a reader that sleeps", client.unread());
}

#[test]
fn a_target_that_reads_nothing_stalls_nobody() {
    let mut client = Client::start();
    let stuck = client.connect(servers::idle(V4));
    client.send(stuck, vec![0; 64 * MEGABYTE]);
    let id = client.connect(servers::echo(V4));
    let sent = servers::noise(4 * MEGABYTE);
    client.send(id, sent.clone());
    client.finish(id);
    client.wait("the other's echo", |client| client.stream(id).eof);
    assert!(client.stream(id).received == sent);
    assert!(client.unsent(stuck) > 32 * MEGABYTE, "the agent must not swallow what its target does not take");
}
