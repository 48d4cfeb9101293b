//! How connections begin or do not, and how the executable is called.

use std::fs::File;
use std::net::IpAddr;
use std::process::{Command, Output, Stdio};

use ropeway_mux::Reason;

use crate::client::{AGENT, Client};
use crate::servers::{self, V4, V6};

#[test]
fn a_port_where_nobody_listens_refuses_over_ipv4() {
    a_deaf_port_refuses(V4);
}

#[test]
fn a_port_where_nobody_listens_refuses_over_ipv6() {
    a_deaf_port_refuses(V6);
}

fn a_deaf_port_refuses(ip: IpAddr) {
    let (address, _held) = servers::deaf(ip);
    let mut client = Client::start();
    let id = client.open(address);
    client.wait("the refusal", |client| client.stream(id).refused.is_some());
    assert_eq!(client.stream(id).refused, Some(Reason::Refused));
    assert!(!client.stream(id).opened);
}

/// Linux says so for TCP to a broadcast address at once, whatever routes there are.
#[cfg(target_os = "linux")]
#[test]
fn a_network_without_a_way_is_unreachable() {
    let mut client = Client::start();
    let id = client.open("255.255.255.255:80".parse().expect("an address"));
    client.wait("the refusal", |client| client.stream(id).refused.is_some());
    assert_eq!(client.stream(id).refused, Some(Reason::NetworkUnreachable));
}

#[test]
fn five_hundred_connections_of_one_instant_all_stand() {
    let echo = servers::echo(V4);
    let mut client = Client::start();
    let ids: Vec<_> = (0..500).map(|_| client.open(echo)).collect();
    for (number, &id) in ids.iter().enumerate() {
        client.send(id, format!("connection {number}"));
        client.finish(id);
    }
    client.wait("all echoes", |client| client.streams().all(|stream| stream.eof));
    for (number, &id) in ids.iter().enumerate() {
        assert_eq!(client.stream(id).received, format!("connection {number}").into_bytes());
    }
}

#[test]
fn version_is_printed() {
    let output = run(&["--version"], Stdio::null());
    assert!(output.status.success());
    let expected = format!("ropeway-agent {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn other_arguments_are_a_usage_error() {
    for arguments in [&["--help"][..], &["--version", "x"], &[""]] {
        let output = run(arguments, Stdio::null());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_one_line(&output, "usage");
    }
}

#[test]
fn a_file_or_the_null_device_for_a_pipe_is_refused() {
    let file = tempfile::tempfile().expect("a file");
    let null = File::open("/dev/null").expect("a device");
    for stdin in [file, null] {
        let output = run(&[], Stdio::from(stdin));
        assert_eq!(output.status.code(), Some(1));
        assert_one_line(&output, "stdin is not a pipe");
    }
}

fn run(arguments: &[&str], stdin: Stdio) -> Output {
    Command::new(AGENT).args(arguments).stdin(stdin).output().expect("the agent starts")
}

fn assert_one_line(output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(words) && stderr.lines().count() == 1, "{stderr}");
}
