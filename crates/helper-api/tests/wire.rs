//! The framing, over real socket pairs.
#![allow(clippy::unwrap_used)]

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use proptest::{prelude::*, test_runner::RngSeed};
use ropeway_helper_api::{
    Capture, Count, DIRECT_MARK, EPOCH, HelperCode, HelperError, Leaks, ListenerPorts, Message, Plan, Ports,
    REVISION, Reject, Reply, Request, Route, SessionId, plan::limit, wire,
};

fn plan(include: Vec<Route>) -> Plan {
    let listener = Some(Ports { first: 12300, last: 12307 });
    Plan {
        include,
        exclude: vec![],
        listeners: ListenerPorts { v4: listener, v6: listener },
        capture: Capture::User { uid: 1000 },
        endpoints: vec!["192.0.2.1:22".parse().unwrap(), "[2001:db8::1]:22".parse().unwrap()],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
        reject: Reject::default(),
        meter: false,
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn received(socket: &UnixStream) -> io::Result<Option<Request>> {
    Ok(wire::receive(socket)?.map(|received| received.message))
}

#[test]
fn every_message_arrives_as_it_was_sent() {
    let (near, far) = UnixStream::pair().unwrap();
    let requests = [
        Request::Hello { epoch: EPOCH, revision: REVISION, version: "0.1.0".into() },
        Request::Load {
            session: SessionId(7),
            plan: plan(vec!["10.0.0.0/8".parse::<ipnet::IpNet>().unwrap().into()]),
        },
        Request::Unload { session: SessionId(7) },
        Request::MarkSocket,
        Request::Meter { session: SessionId(7) },
        Request::OpenUdp { session: SessionId(7) },
    ];
    for request in requests {
        wire::send(&near, &request, &[]).unwrap();
        assert_eq!(received(&far).unwrap(), Some(request));
    }
    let error = HelperError { code: HelperCode::Busy, detail: "somebody else's table".into() };
    let leaks = Leaks { udp: Count { packets: 3, bytes: 90 }, ..Leaks::default() };
    for reply in [
        Reply::Done,
        Reply::Meter { leaks },
        Reply::Udp { device: "ropeway0".into() },
        Reply::Leftovers { mine: 1, others: 0 },
        Reply::Error(error),
    ] {
        let message = Message::Reply { reply };
        wire::send(&far, &message, &[]).unwrap();
        assert_eq!(wire::receive::<Message>(&near).unwrap().unwrap().message, message);
    }
}

#[test]
fn the_largest_allowed_plan_fits_into_a_message() {
    let ports = Ports { first: 10_000, last: 65_535 };
    let net = "f000:f000:f000:f000:f000:f000:f000:f000/128".parse().unwrap();
    let mut large = plan(vec![Route { net, ports }; limit::ROUTES]);
    let endpoint = "[f000:f000:f000:f000:f000:f000:f000:f000]:65535".parse().unwrap();
    large.endpoints = vec![endpoint; limit::ENDPOINTS];
    large.validate().unwrap();
    let request = Request::Load { session: SessionId(u32::MAX), plan: large };
    let (near, far) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| wire::send(&near, &request, &[]).unwrap());
        assert_eq!(received(&far).unwrap().as_ref(), Some(&request));
    });
}

#[test]
fn a_message_beyond_the_limit_is_not_sent_and_not_read() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let large = "x".repeat(wire::MAX_MESSAGE);
    assert_eq!(wire::send(&near, &large, &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    near.write_all(&(wire::MAX_MESSAGE as u32 + 1).to_be_bytes()).unwrap();
    assert_eq!(received(&far).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_message_may_come_byte_by_byte() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let bytes = frame(&serde_json::to_vec(&Request::MarkSocket).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(received(&far).unwrap(), Some(Request::MarkSocket)));
        for byte in bytes {
            near.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
    });
}

#[test]
fn the_end_is_clean_only_between_messages() {
    let bytes = frame(&serde_json::to_vec(&Request::MarkSocket).unwrap());
    for cut in 0..bytes.len() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&bytes[..cut]).unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        match received(&far) {
            Ok(None) => assert_eq!(cut, 0),
            other => assert_eq!(other.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}"),
        }
    }
}

#[test]
fn a_stalled_message_times_out_and_the_wait_before_it_does_not() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let limit = Duration::from_millis(50);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let start = Instant::now();
            let error = wire::receive_from::<Request>(&far, 0, limit, wire::MAX_MESSAGE).unwrap_err();
            (error.kind(), start.elapsed())
        });
        thread::sleep(3 * limit); // longer than the limit, before anything is sent
        near.write_all(&[0, 0]).unwrap();
        let (kind, took) = reader.join().unwrap();
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert!(took >= 4 * limit, "ended after {took:?}, before the message had begun");
    });
    assert_eq!(far.read_timeout().unwrap(), None);
}

#[test]
fn descriptors_travel_with_their_message() {
    let (near, far) = UnixStream::pair().unwrap();
    let pairs = [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
    let fds = pairs.each_ref().map(|(carried, _)| carried.as_fd());
    wire::send(&near, &Request::MarkSocket, &fds).unwrap();
    wire::send(&near, &Request::Unload { session: SessionId(1) }, &[]).unwrap();
    let fds = wire::receive::<Request>(&far).unwrap().unwrap().fds;
    assert_eq!(fds.len(), 2);
    for (number, (arrived, (_, other_end))) in fds.into_iter().zip(&pairs).enumerate() {
        UnixStream::from(arrived).write_all(&[number as u8]).unwrap();
        let mut byte = [9];
        (&mut &*other_end).read_exact(&mut byte).unwrap();
        assert_eq!(byte, [number as u8], "in their order");
    }
    assert!(wire::receive::<Request>(&far).unwrap().unwrap().fds.is_empty());
    (&mut &pairs[0].0).write_all(b"y").unwrap();
}

/// The socket pair is in this process, so the sender is whoever runs the test.
#[test]
#[cfg(target_os = "linux")]
fn bytes_of_another_user_are_refused_wherever_they_come() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("*** SKIPPED: sending as another user needs root ***");
        return;
    }
    let bytes = frame(&serde_json::to_vec(&Request::MarkSocket).unwrap());
    for cut in [0, 4, bytes.len() - 1] {
        let (near, far) = UnixStream::pair().unwrap();
        wire::tell_senders(&far).unwrap();
        send_raw(&near, &bytes[..cut], &[]);
        send_as(65534, &near, &bytes[cut..]);
        let limit = Duration::from_secs(5);
        let error = wire::receive_from::<Request>(&far, 1000, limit, wire::MAX_MESSAGE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "cut at {cut}");
    }
    let (near, far) = UnixStream::pair().unwrap();
    wire::tell_senders(&far).unwrap();
    send_as(1000, &near, &bytes);
    let received =
        wire::receive_from::<Request>(&far, 1000, Duration::from_secs(5), wire::MAX_MESSAGE).unwrap();
    assert_eq!(received.unwrap().message, Request::MarkSocket);
}

/// Credentials are those of the process that sends.
#[cfg(target_os = "linux")]
fn send_as(uid: u32, socket: &UnixStream, bytes: &[u8]) {
    use std::os::{fd::OwnedFd, unix::process::CommandExt};
    let mut sender = std::process::Command::new("cat");
    sender.uid(uid).stdin(std::process::Stdio::piped());
    sender.stdout(OwnedFd::from(socket.try_clone().unwrap()));
    let mut sender = sender.spawn().unwrap();
    sender.stdin.take().unwrap().write_all(bytes).unwrap();
    assert!(sender.wait().unwrap().success());
}

/// All copies but the receiver's are closed, so the far end sees EOF exactly when the receiver has closed its own.
#[test]
fn more_descriptors_than_a_message_may_have_are_closed_and_an_error() {
    for count in [3, 5, 253] {
        let (near, far) = UnixStream::pair().unwrap();
        let (carried, mut other_end) = UnixStream::pair().unwrap();
        let fds = vec![carried.as_raw_fd(); count];
        send_raw(&near, &frame(b"{\"type\":\"mark-socket\"}"), &fds);
        drop(carried);
        assert_eq!(received(&far).unwrap_err().kind(), io::ErrorKind::InvalidData, "{count}");
        other_end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(other_end.read(&mut [0]).unwrap(), 0, "{count}: a copy is still open");
    }
}

#[test]
fn a_descriptor_in_the_middle_of_a_message_is_closed_and_an_error() {
    let (near, far) = UnixStream::pair().unwrap();
    let (carried, mut other_end) = UnixStream::pair().unwrap();
    let bytes = frame(b"{\"type\":\"mark-socket\"}");
    send_raw(&near, &bytes[..6], &[]);
    send_raw(&near, &bytes[6..], &[carried.as_raw_fd()]);
    drop(carried);
    assert_eq!(received(&far).unwrap_err().kind(), io::ErrorKind::InvalidData);
    other_end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(other_end.read(&mut [0]).unwrap(), 0, "a copy is still open");
}

#[test]
fn json_that_is_no_request_is_invalid_data() {
    let nested = "[".repeat(100_000);
    for body in ["", "{}", "null", "{\"type\":\"unload\",\"session\":-1}", "\u{0}", &nested] {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&frame(body.as_bytes())).unwrap();
        assert_eq!(received(&far).unwrap_err().kind(), io::ErrorKind::InvalidData, "{body:.40}");
    }
}

/// Both orders of one epoch work together.
#[test]
fn what_a_newer_revision_has_does_not_disturb() {
    for (body, expected) in [
        ("{\"type\":\"reboot\",\"now\":true}", Request::Unknown),
        ("{\"type\":\"unload\",\"session\":1,\"gently\":true}", Request::Unload { session: SessionId(1) }),
    ] {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&frame(body.as_bytes())).unwrap();
        assert_eq!(received(&far).unwrap(), Some(expected));
    }
}

#[test]
fn the_mark_is_the_documented_one() {
    assert_eq!(DIRECT_MARK, 0x5e); // users write it into their own firewall rules
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_error_or_an_end(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&bytes).unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        prop_assert!(!matches!(received(&far), Ok(Some(_))));
    }
}

fn send_raw(socket: &UnixStream, bytes: &[u8], fds: &[RawFd]) {
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights[..] };
    let sent =
        sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::empty(), None).unwrap();
    assert_eq!(sent, bytes.len());
}
