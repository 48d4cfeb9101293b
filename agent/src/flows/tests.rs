//! Real sockets on loopback, and a clock that the test sets.

use std::{net::SocketAddr, time::Duration};

use mio::{Events, Poll};

use super::*;

struct Setting {
    poll: Poll,
    flows: Flows,
    told: Vec<(u32, Datagram)>,
}

impl Setting {
    fn new() -> Self {
        let poll = Poll::new().expect("a poll");
        let flows = Flows::new(poll.registry().try_clone().expect("a registry"));
        Self { poll, flows, told: vec![] }
    }

    fn send(&mut self, of: u32, id: u32, remote: SocketAddr, payload: &'static [u8], now: Micros) {
        let told = &mut self.told;
        let data = Datagram { id, remote, payload: Ok(Bytes::from_static(payload)) }.encode();
        self.flows.send(of, data, now, &mut |of, data| {
            told.push((of, Datagram::decode(data).expect("a datagram")));
        });
    }

    /// Until something was told.
    fn next(&mut self, now: Micros) -> (u32, Datagram) {
        let mut events = Events::with_capacity(8);
        while self.told.is_empty() {
            self.poll.poll(&mut events, Some(Duration::from_secs(10))).expect("a poll");
            assert!(!events.is_empty(), "nothing came");
            for event in &events {
                let told = &mut self.told;
                self.flows.on_ready(event.token(), now, &mut |of, data| {
                    told.push((of, Datagram::decode(data).expect("a datagram")));
                });
            }
        }
        self.told.remove(0)
    }
}

fn peer(address: &str) -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind(address).expect("bound");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

#[test]
fn anybody_may_answer_a_flow_and_is_named() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let mut setting = Setting::new();
        let ((asked, to), (other, from)) = (peer(any), peer(any));
        setting.send(flow::UDP, 7, to, b"hello", Micros(0));
        let mut space = [0; 16];
        let (length, ours) = asked.recv_from(&mut space).expect("it arrives");
        assert_eq!(&space[..length], b"hello");
        for (socket, remote) in [(&asked, to), (&other, from)] {
            socket.send_to(b"and you", ours).expect("sent");
            let payload = Ok(Bytes::from_static(b"and you"));
            assert_eq!(setting.next(Micros(1)), (flow::UDP, Datagram { id: 7, remote, payload }));
        }
        setting.send(flow::UDP, 7, from, b"", Micros(2));
        assert_eq!(other.recv_from(&mut space).expect("it arrives"), (0, ours), "the same address for all");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_where_nobody_listens_is_told_and_the_next_datagram_leaves() {
    let mut setting = Setting::new();
    let (closed, nobody) = peer("127.0.0.1:0");
    drop(closed);
    setting.send(flow::UDP, 1, nobody, b"?", Micros(0));
    let refused = Datagram { id: 1, remote: nobody, payload: Err(Undelivered::Refused) };
    assert_eq!(setting.next(Micros(1)), (flow::UDP, refused));
    let (socket, to) = peer("127.0.0.1:0");
    setting.send(flow::UDP, 1, to, b"!", Micros(2));
    assert_eq!(socket.recv_from(&mut [0; 16]).expect("it arrives").0, 1);
}

#[test]
fn an_unanswered_question_is_forgotten_sooner_than_a_conversation() {
    let mut setting = Setting::new();
    let (socket, to) = peer("127.0.0.1:0");
    setting.send(flow::UDP, 1, to, b"?", Micros(0));
    assert_eq!(setting.flows.next_deadline(), Some(BRIEF));
    let (_, ours) = socket.recv_from(&mut [0; 16]).expect("it arrives");
    setting.send(flow::UDP, 1, to, b"?", Micros(1));
    socket.send_to(b"!", ours).expect("sent");
    setting.next(Micros(5));
    assert_eq!(setting.flows.next_deadline(), Some(Micros(5 + LONG.0)));
    setting.flows.expire(Micros(5 + LONG.0));
    assert_eq!((setting.flows.next_deadline(), setting.flows.by_id.len()), (None, 0));
}

#[test]
fn beyond_the_limit_the_longest_silent_one_is_given_up() {
    crate::limits::allow_many_files();
    let mut setting = Setting::new();
    let (_socket, to) = peer("127.0.0.1:0");
    for id in 0..=PLACES as u32 {
        setting.send(flow::UDP, id, to, b"?", Micros(u64::from(id)));
    }
    assert_eq!(setting.flows.by_id.len(), PLACES);
    assert!(!setting.flows.by_id.contains_key(&(Kind::Udp, 0)));
    assert!(setting.flows.by_id.contains_key(&(Kind::Udp, PLACES as u32)));
}

#[test]
fn an_echo_comes_back_or_is_told_to_be_forbidden() {
    for address in ["127.0.0.1", "::1"] {
        let mut setting = Setting::new();
        let remote = SocketAddr::new(address.parse().expect("an address"), 9);
        setting.send(flow::ECHO, 3, remote, b"ping", Micros(0));
        let (of, answer) = setting.next(Micros(1));
        let allowed = Ok(Bytes::from_static(b"ping"));
        assert!([allowed, Err(Undelivered::Prohibited)].contains(&answer.payload), "{answer:?}");
        assert_eq!((of, answer.id, answer.remote), (flow::ECHO, 3, remote));
    }
}

#[test]
fn what_is_no_datagram_is_passed_over() {
    let mut setting = Setting::new();
    for (of, data) in [(flow::NAMES, Bytes::new()), (flow::UDP, Bytes::from_static(b"\0\0\0\x01\0\x05"))] {
        setting.flows.send(of, data, Micros(0), &mut |_, _| panic!("told"));
    }
    assert_eq!(setting.flows.next_deadline(), None);
}
