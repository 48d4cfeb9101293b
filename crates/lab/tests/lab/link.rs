//! The emulated link: what it says it is like is what programs find. Bounds are wide, because the machine may be busy;
//! exact times are tested without a clock, in the queue itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use ropeway_lab::{
    Lab,
    harness::lab_or_skip,
    link::{ENDS, Link, Schedule, Spec},
};

const MBITS: f64 = 20.0;
const DELAY: Duration = Duration::from_millis(20);

/// Bytes of a datagram without its headers, and what IP and UDP add.
const DATAGRAM: usize = 1_000;
const HEADERS: usize = 28;

fn link(lab: &Lab, rate: &str) -> (Link, Spec) {
    let spec = Spec::new(rate.parse().expect("a schedule"), DELAY);
    (Link::between([&lab.client(), &lab.server()], &spec).expect("a link"), spec)
}

fn there(port: u16) -> SocketAddr {
    (ENDS[1], port).into()
}

#[test]
fn a_connection_gets_the_rate_and_the_delay() {
    let Some(lab) = lab_or_skip("link-tcp") else { return };
    let (link, _) = link(&lab, "20");
    let server =
        lab.server().run(|| TcpListener::bind(there(5001))).expect("a network").expect("a free port");
    let source = thread::spawn(move || {
        let (mut socket, _) = server.accept().expect("somebody comes");
        // until the other side has enough
        while socket.write_all(&[0; 8 << 10]).is_ok() {}
    });
    let began = Instant::now();
    let mut socket =
        lab.client().run(|| TcpStream::connect(there(5001))).expect("a network").expect("it listens");
    let round_trip = began.elapsed();
    assert!(round_trip >= 2 * DELAY && round_trip < 5 * DELAY, "{round_trip:?}");
    let (bytes, took) = read_for(&mut socket, Duration::from_secs(2));
    drop(socket);
    source.join().expect("it ends");
    let mbits = bytes as f64 * 8.0 / 1e6 / took.as_secs_f64();
    assert!((0.6..=1.0).contains(&(mbits / MBITS)), "{mbits} Mbit/s");
    assert!(link.counts()[1].bytes as usize > bytes, "{:?}", link.counts());
}

#[test]
fn what_does_not_fit_into_the_queue_is_lost() {
    let Some(lab) = lab_or_skip("link-udp") else { return };
    let (link, spec) = link(&lab, "20");
    let server = lab.server().run(|| UdpSocket::bind(there(5002))).expect("a network").expect("a free port");
    server.set_read_timeout(Some(Duration::from_secs(1))).expect("a time");
    let arrived = thread::spawn(move || {
        let mut times = Vec::new();
        while server.recv(&mut [0; DATAGRAM]).is_ok() {
            times.push(Instant::now());
        }
        times
    });
    let client = lab.client().run(|| UdpSocket::bind("0.0.0.0:0")).expect("a network").expect("a free port");
    let began = Instant::now();
    // 1.5 MB, three times what the queue holds
    let sent = 1_500;
    for _ in 0..sent {
        client.send_to(&[0; DATAGRAM], there(5002)).expect("it is sent");
    }
    let sending = began.elapsed();
    let times = arrived.join().expect("it ends");
    let first = times.first().expect("some arrive").duration_since(began);
    let last = times.last().expect("some arrive").duration_since(began);
    assert!(first >= DELAY && first < 4 * DELAY, "{first:?}");
    // the last one has waited behind a full queue: 200 ms, if the machine sent faster than the link
    let full = Duration::from_millis(200) + DELAY;
    assert!(last >= full.mul_f64(0.9) && last < (full + sending).mul_f64(1.5), "{last:?}");
    let fit = spec.queue_bytes as f64 + sending.as_secs_f64() * MBITS * 1e6 / 8.0;
    let share = (times.len() * (DATAGRAM + HEADERS)) as f64 / fit;
    assert!((0.7..=1.2).contains(&share), "{} datagrams arrived", times.len());
    assert_eq!(link.counts()[0].lost as usize + times.len(), sent, "{:?}", link.counts());
}

#[test]
fn a_step_is_a_step() {
    let Some(lab) = lab_or_skip("link-step") else { return };
    let (link, _) = link(&lab, "20,2@1.5");
    let server =
        lab.server().run(|| TcpListener::bind(there(5003))).expect("a network").expect("a free port");
    thread::spawn(move || {
        let (mut socket, _) = server.accept().expect("somebody comes");
        while socket.write_all(&[0; 8 << 10]).is_ok() {}
    });
    link.restart_schedule();
    let mut socket =
        lab.client().run(|| TcpStream::connect(there(5003))).expect("a network").expect("it listens");
    let (fast, _) = read_for(&mut socket, Duration::from_millis(1_400));
    // what is on its way has arrived
    read_for(&mut socket, Duration::from_millis(600));
    let (slow, _) = read_for(&mut socket, Duration::from_millis(1_400));
    assert!(fast > 3 * slow, "{fast} and {slow} bytes in the same time");
}

#[test]
fn a_constant_rate_is_a_schedule_of_one_step() {
    assert_eq!(Schedule::constant(MBITS), "20".parse().expect("a schedule"));
}

fn read_for(socket: &mut TcpStream, time: Duration) -> (usize, Duration) {
    socket.set_read_timeout(Some(time)).expect("a time");
    let (began, mut bytes, mut buffer) = (Instant::now(), 0, vec![0; 64 << 10]);
    while began.elapsed() < time {
        bytes += socket.read(&mut buffer).unwrap_or(0);
    }
    (bytes, began.elapsed())
}
