//! Many at once, and those who stop.

use ropeway_mux::Reason;

use crate::client::Client;
use crate::servers::{self, V4};

/// More than a browser or a scanner has at once, and more than the usual soft limit of descriptors.
const SCAN: usize = 5_000;

#[test]
fn a_port_scan_is_answered_and_nobody_else_waits_for_it() {
    let mut client = Client::start();
    let echo = client.connect(servers::echo(V4));
    let (closed, _socket) = servers::deaf(V4);
    let scanned: Vec<_> = (0..SCAN).map(|_| client.open(closed)).collect();
    client.send(echo, &b"meanwhile"[..]);
    client.wait("the echo", |client| client.stream(echo).received == b"meanwhile");
    let answered = |client: &Client| {
        scanned.iter().filter(|id| client.stream(**id).refused == Some(Reason::Refused)).count()
    };
    client.wait("all answers", |client| answered(client) == SCAN);
    let later = client.connect(servers::echo(V4));
    assert!(client.stream(later).opened);
}

/// The largest window of a stream.
const WINDOW: usize = 5 << 19;

#[test]
fn a_target_that_stops_reading_after_it_has_read_much_costs_its_window_and_stalls_nobody() {
    let mut client = Client::start();
    let (stops, stopped) = servers::stops_after(V4, 20_000_000);
    let before = client.resident_kib();
    let id = client.connect(stops);
    client.send(id, vec![7; 100_000_000]);
    client.wait("the target to stop", |_| stopped.try_recv().is_ok());
    let echo = client.connect(servers::echo(V4));
    client.send(echo, vec![9; 10_000_000]);
    client.wait("the echo", |client| client.stream(echo).received.len() == 10_000_000);
    // The ring of what waits doubles as it grows.
    let held = client.resident_kib() - before;
    assert!(held < 2 * WINDOW / 1024 + 1024, "{held} KiB more");
    assert!(client.unsent(id) > 50_000_000, "{} of 100 MB are not even sent", client.unsent(id));
}

#[test]
fn a_target_that_pushes_while_the_client_does_not_read_costs_nothing() {
    let mut client = Client::start();
    let pushed = client.connect(servers::pushes(V4));
    let before = client.resident_kib();
    client.wait("its first megabytes", |client| client.stream(pushed).received.len() > 5_000_000);
    client.stop_reading(pushed);
    let echo = client.connect(servers::echo(V4));
    for _ in 0..20 {
        let before = client.stream(echo).received.len();
        client.send(echo, vec![1; 100_000]);
        client.wait("the echo", |client| client.stream(echo).received.len() == before + 100_000);
    }
    assert!(client.unread() <= WINDOW, "{}", client.unread());
    let held = client.resident_kib().saturating_sub(before);
    assert!(held < 1024, "{held} KiB more");
}
