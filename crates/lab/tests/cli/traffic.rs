//! What goes through the tunnel, how well, and what goes around it.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Barrier,
    thread,
    time::Duration,
};

use ropeway_lab::{
    Family, Lab,
    harness::lab_or_skip,
    stream::{BIG, BIG_SHA256},
};

use crate::{SOON, assert_no_way, assert_works, seen_as, tunnel, tunnel_for};

/// For 200 MB through a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(90);

/// Connections opened at one instant.
const BURST: usize = 500;

/// Everything but the network that the client itself is in.
const ALL_BUT_OWN: &[&str] = &["0/0", "::/0", "-x", "198.51.100.0/24", "-x", "2001:db8:51::/64"];

#[test]
fn a_page_comes_through_while_the_tunnel_is_up_and_only_then() {
    let Some(lab) = lab_or_skip("page") else { return };
    for family in Family::BOTH {
        assert_no_way(&lab, family);
    }
    let tunnel = tunnel(&lab);
    for family in Family::BOTH {
        assert_works(&lab, family);
    }
    drop(tunnel);
    for family in Family::BOTH {
        assert_no_way(&lab, family);
    }
}

#[test]
fn a_big_file_arrives_whole() {
    let Some(lab) = lab_or_skip("download") else { return };
    let _tunnel = tunnel(&lab);
    for family in Family::BOTH {
        let got = lab.client().download(&lab.web_url(family, "/big"), LONG).expect("curl runs");
        assert_eq!((got.code, got.sum.bytes, got.sum.sha256.as_str()), (0, BIG, BIG_SHA256), "{family:?}");
    }
}

#[test]
fn a_big_file_is_sent_whole() {
    let Some(lab) = lab_or_skip("upload") else { return };
    let _tunnel = tunnel(&lab);
    for family in Family::BOTH {
        let sent = lab.client().upload(&lab.web_url(family, "/upload"), BIG, LONG).expect("curl runs");
        assert_eq!((sent.code, sent.body), (0, format!("{BIG_SHA256} {BIG}\n")), "{family:?}");
    }
}

#[test]
fn of_500_connections_at_one_instant_none_is_lost_and_none_waits() {
    let Some(lab) = lab_or_skip("burst") else { return };
    let _tunnel = tunnel(&lab);
    let before = repeated_syns(&lab);
    let answers = burst(&lab, lab.echo(Family::V4));
    let failures: Vec<_> = answers.iter().filter(|answer| answer.is_err()).collect();
    assert!(failures.is_empty(), "{} of {BURST} lost: {:?}", failures.len(), failures[0]);
    // a second's wait is a repeated SYN, and the kernels of both ends have counted those
    assert_eq!(repeated_syns(&lab), before);
}

#[test]
fn everything_goes_through_except_what_is_excluded() {
    let Some(lab) = lab_or_skip("all") else { return };
    let tunnel = tunnel_for(&lab, &["0/0", "::/0", "--local-networks"]);
    for family in Family::BOTH {
        assert_works(&lab, family);
        let url = lab.public_web_url(family, "/whoami");
        assert_eq!(seen_as(&lab.client(), &url), lab.server().address(family));
    }
    drop(tunnel);
    let _tunnel = tunnel_for(&lab, ALL_BUT_OWN);
    for family in Family::BOTH {
        assert_works(&lab, family);
        let url = lab.public_web_url(family, "/whoami");
        assert_eq!(seen_as(&lab.client(), &url), lab.client().address(family));
    }
}

#[test]
fn the_more_specific_subnet_decides() {
    let Some(lab) = lab_or_skip("specific") else { return };
    let (client, server) = (lab.client().address(Family::V4), lab.server().address(Family::V4));
    for (args, seen) in [
        (["198.51.100.1/32", "-x", "198.51.100.0/24"], server),
        (["198.51.100.0/24", "-x", "198.51.100.1/32"], client),
    ] {
        let _tunnel = tunnel_for(&lab, &args);
        assert_eq!(seen_as(&lab.client(), &lab.public_web_url(Family::V4, "/whoami")), seen, "{args:?}");
    }
}

#[test]
fn a_port_can_be_part_of_a_subnet() {
    let Some(lab) = lab_or_skip("port") else { return };
    let _tunnel = tunnel_for(&lab, &["10.20.0.0/16:80"]);
    assert_works(&lab, Family::V4);
    assert!(echo_once(&lab, lab.echo(Family::V4)).is_err(), "port 7 is not in the tunnel");
}

fn repeated_syns(lab: &Lab) -> [u64; 2] {
    [lab.client(), lab.server()].map(|host| host.repeated_syns().expect("the kernel counts them"))
}

/// All connections are made by threads that were released together.
fn burst(lab: &Lab, to: SocketAddr) -> Vec<io::Result<()>> {
    let start = Barrier::new(BURST);
    let one = &|number: usize| {
        start.wait();
        exchange(to, &format!("connection {number}"))
    };
    let all = || {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..BURST).map(|number| scope.spawn(move || one(number))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    };
    lab.client().run(all).expect("the client is up")
}

fn echo_once(lab: &Lab, to: SocketAddr) -> io::Result<()> {
    lab.client().run(|| exchange(to, "hello")).expect("the client is up")
}

/// Sends words to an echo service, and fails unless exactly they come back.
fn exchange(to: SocketAddr, words: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, SOON)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(words.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer == words { Ok(()) } else { Err(io::Error::other(format!("{words:?} came back as {answer:?}"))) }
}
