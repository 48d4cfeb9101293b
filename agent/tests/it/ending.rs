//! The agent goes when its client goes, and says why when it goes for another reason.

use std::io::ErrorKind;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::client::Client;
use crate::servers::{self, V4};

#[test]
fn the_end_of_stdin_ends_the_agent() {
    let mut client = Client::start();
    client.connect(servers::idle(V4));
    client.close_stdin();
    let (status, stderr) = client.wait_for_exit();
    assert!(status.success() && stderr.is_empty(), "{status}, {stderr}");
}

#[test]
fn a_client_that_vanishes_is_a_reset_to_targets_that_wait_for_more() {
    let (address, seen) = servers::start(V4, |mut stream| servers::read_to_end(&mut stream));
    let mut client = Client::start();
    let id = client.connect(address);
    client.send(id, &b"half of it"[..]);
    client.wait("everything to be sent", |client| client.unsent(id) == 0);
    client.close_stdin();
    let (_, end) = seen.recv().expect("the target saw an end");
    assert_eq!(end.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_client_that_vanishes_after_its_end_leaves_that_end_as_it_was() {
    let (address, seen) = servers::start(V4, |mut stream| {
        let before = servers::read_to_end(&mut stream);
        servers::write(&mut stream, b"got all");
        (before, stream)
    });
    let mut client = Client::start();
    let id = client.connect(address);
    client.send(id, &b"all of it"[..]);
    client.finish(id);
    client.wait("the target's word", |client| !client.stream(id).received.is_empty());
    client.close_stdin();
    let ((received, end), _open) = seen.recv().expect("the target saw the end");
    assert_eq!((received.as_slice(), end.expect("a proper end")), (&b"all of it"[..], 9));
}

#[test]
fn garbage_ends_the_agent_with_one_line() {
    let mut client = Client::start();
    client.write_raw(&servers::noise(1000));
    let (status, stderr) = client.wait_for_exit();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.starts_with("ropeway-agent: ") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_shell_that_waits_gets_its_socket_back_as_it_was() {
    let (mut client, theirs) = Client::start_on_a_socket();
    let flags = || OFlag::from_bits_retain(fcntl(&theirs, FcntlArg::F_GETFL).expect("an open socket"));
    client.connect(servers::idle(V4));
    assert!(flags().contains(OFlag::O_NONBLOCK));
    client.close_stdin();
    let (status, _) = client.wait_for_exit();
    assert!(status.success());
    assert!(!flags().contains(OFlag::O_NONBLOCK));
}
