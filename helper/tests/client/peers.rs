//! Hostile peers at the real server, each on its socket, while an honest client works.

use std::{
    io::{ErrorKind, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::Duration,
};

use ropeway_helper::{
    rules::FirewallError,
    server::{OpenError, Server},
};
use ropeway_helper_api::{HelperCode, HelperError, Message, Notice, Reply, Request, SessionId, limit, wire};
use tempfile::TempDir;

use crate::world::{BOB, Fake, hello, load, me, state};

/// Three times what a message may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Peers {
    server: Arc<Server<Fake>>,
    kernel: Fake,
    _folder: TempDir,
}

impl Peers {
    fn new() -> Self {
        let (kernel, folder) = (Fake::default(), tempfile::tempdir().unwrap());
        let server = Arc::new(Server::new(state(&kernel, folder.path())));
        Self { server, kernel, _folder: folder }
    }

    fn open(&self, uid: u32) -> Result<UnixStream, OpenError> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(PATIENCE)).unwrap();
        self.server.open(ours, uid, ()).map(|()| theirs)
    }

    fn honest(&self) -> UnixStream {
        let line = self.open(me()).unwrap();
        assert!(matches!(ask(&line, &hello()), Reply::Hello { .. }));
        line
    }
}

fn ask(line: &UnixStream, request: &Request) -> Reply {
    wire::send(line, request, &[]).unwrap();
    reply(line).expect("an answer")
}

fn reply(line: &UnixStream) -> Option<Reply> {
    next(line).map(|message| match message {
        Message::Reply { reply } => reply,
        Message::Notice { notice } => panic!("{notice:?}"),
    })
}

/// None at the end, however it came.
fn next(line: &UnixStream) -> Option<Message> {
    match wire::receive(line) {
        Ok(received) => received.map(|received| received.message),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

fn rules_gone(mended: bool) -> Message {
    Message::Notice { notice: Notice::RulesGone { mended } }
}

fn is_malformed(reply: Option<&Reply>) -> bool {
    matches!(reply, Some(Reply::Error(HelperError { code: HelperCode::Malformed, .. })))
}

/// Says something, and nothing any more.
fn dropped(peers: &Peers, bytes: &[u8]) -> [Option<Reply>; 2] {
    let mut line = peers.open(me()).unwrap();
    line.write_all(bytes).unwrap();
    [reply(&line), reply(&line)]
}

#[test]
fn hostile_peers_are_dropped_and_disturb_nobody() {
    let peers = Peers::new();
    let honest = peers.honest();
    thread::scope(|scope| {
        let oversized = scope.spawn(|| dropped(&peers, &(wire::MAX_MESSAGE as u32 + 1).to_be_bytes()));
        let garbage = scope.spawn(|| dropped(&peers, b"\0\0\0\x02!!"));
        let half = scope.spawn(|| dropped(&peers, b"\0\0\0\x20{\"type\":"));
        let silent = peers.open(me()).unwrap();
        for session in 0..20 {
            assert!(matches!(ask(&honest, &load(session, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
        }
        for hostile in [oversized, garbage, half] {
            let [answer, end] = hostile.join().unwrap();
            assert!(is_malformed(answer.as_ref()), "{answer:?}");
            assert_eq!(end, None);
        }
        drop(silent);
    });
    assert_eq!(ask(&honest, &Request::Unload { session: SessionId(0) }), Reply::Done);
}

/// Slower than a message may be, byte by byte; and as slow as it may be.
#[test]
fn a_byte_now_and_then_is_too_slow_and_a_byte_at_a_time_is_not() {
    let peers = Peers::new();
    let frame = {
        let body = serde_json::to_vec(&hello()).unwrap();
        [&(body.len() as u32).to_be_bytes(), &body[..]].concat()
    };
    let mut patient = peers.open(me()).unwrap();
    for byte in &frame {
        patient.write_all(&[*byte]).unwrap();
    }
    assert!(matches!(reply(&patient), Some(Reply::Hello { .. })));
    let slow = peers.open(me()).unwrap();
    let mut writer = slow.try_clone().unwrap();
    let trickle = thread::spawn(move || {
        let more_than_it_may_take = Duration::from_secs(15) / frame.len() as u32;
        for byte in frame {
            if writer.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(more_than_it_may_take);
        }
    });
    assert!(is_malformed(reply(&slow).as_ref()));
    assert_eq!(reply(&slow), None);
    trickle.join().unwrap();
}

/// It asks and asks and does not read: no thread waits for it forever, and its rules go.
#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let peers = Peers::new();
    let mut deaf = peers.honest();
    assert!(matches!(ask(&deaf, &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    deaf.set_write_timeout(Some(PATIENCE)).unwrap();
    let body = serde_json::to_vec(&Request::Leftovers).unwrap();
    let frame = [&(body.len() as u32).to_be_bytes(), &body[..]].concat();
    let error = loop {
        if let Err(error) = deaf.write_all(&frame) {
            break error;
        }
    };
    assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()), "{error}");
    assert!(peers.server.wait_until_nobody(PATIENCE));
    assert!(peers.kernel.0.lock().unwrap().table.is_none());
}

#[test]
fn connections_are_counted_for_each_user() {
    let peers = Peers::new();
    let lines: Vec<_> = (0..limit::CONNECTIONS).map(|_| peers.open(me()).unwrap()).collect();
    assert!(matches!(peers.open(me()), Err(OpenError::TooMany)));
    peers.open(BOB).unwrap();
    drop(lines);
    assert!(peers.server.wait_until_nobody(PATIENCE));
    peers.open(me()).unwrap();
}

#[test]
fn sessions_are_counted_over_all_connections_of_a_user() {
    let peers = Peers::new();
    let lines = [peers.honest(), peers.honest()];
    for session in 0..limit::SESSIONS as u32 {
        let line = &lines[session as usize % 2];
        assert!(matches!(ask(line, &load(session, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    }
    let refused = ask(&lines[0], &load(1000, "10.0.0.0/8", 2000));
    assert!(matches!(refused, Reply::Error(HelperError { code: HelperCode::Limit, .. })), "{refused:?}");
}

#[test]
fn the_end_of_all_undoes_everything_and_lets_nobody_in() {
    let peers = Peers::new();
    let lines = [peers.honest(), peers.honest()];
    assert!(matches!(ask(&lines[0], &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    peers.server.end_all();
    assert!(peers.server.wait_until_nobody(PATIENCE));
    assert!(peers.kernel.0.lock().unwrap().table.is_none());
    assert_eq!(lines.each_ref().map(reply), [None, None]);
    assert!(matches!(peers.open(me()), Err(OpenError::Ending)));
}

#[test]
fn what_another_program_flushed_is_mended_and_told_to_whom_it_concerns() {
    let peers = Peers::new();
    let (concerned, other) = (peers.honest(), peers.honest());
    assert!(matches!(ask(&concerned, &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    peers.server.look_after();
    peers.kernel.flush();
    peers.server.look_after();
    assert_eq!(next(&concerned), Some(rules_gone(true)));
    assert_eq!(ask(&other, &Request::Leftovers), Reply::Leftovers { mine: 0, others: 0 });
    assert_eq!(ask(&concerned, &Request::Unload { session: SessionId(1) }), Reply::Done);
}

#[test]
fn what_cannot_be_mended_ends_the_connection() {
    let peers = Peers::new();
    let line = peers.honest();
    assert!(matches!(ask(&line, &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    peers.kernel.flush();
    peers.kernel.fail_next([FirewallError::Refused("no".into())]);
    peers.server.look_after();
    assert_eq!((next(&line), next(&line)), (Some(rules_gone(false)), None));
}

/// One client's change has cost everybody the table, and the others must not go on believing in it.
#[test]
fn when_all_rules_are_lost_every_connection_ends() {
    let peers = Peers::new();
    let (first, second) = (peers.honest(), peers.honest());
    assert!(matches!(ask(&first, &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    let differs = || FirewallError::Differs("x".into());
    peers.kernel.fail_next([differs(), differs()]);
    assert!(matches!(ask(&second, &load(1, "11.0.0.0/8", 3000)), Reply::Error(_)));
    assert_eq!((next(&first), next(&first)), (Some(rules_gone(false)), None));
    assert!(peers.server.wait_until_nobody(PATIENCE));
    assert!(peers.kernel.0.lock().unwrap().table.is_none());
}

/// The kernel would not let go of the rules when their client went; it is asked again.
#[test]
fn what_could_not_be_undone_is_tried_again() {
    let peers = Peers::new();
    let (gone, stays) = (peers.honest(), peers.honest());
    assert!(matches!(ask(&stays, &load(1, "10.0.0.0/8", 2000)), Reply::Loaded { .. }));
    assert!(matches!(ask(&gone, &load(1, "11.0.0.0/8", 3000)), Reply::Loaded { .. }));
    peers.kernel.fail_next([FirewallError::Refused("no memory".into())]);
    gone.shutdown(Shutdown::Write).unwrap();
    assert_eq!(next(&gone), None);
    assert_eq!(peers.kernel.listeners(), [2000, 3000]);
    peers.server.look_after();
    assert_eq!(peers.kernel.listeners(), [2000]);
    assert_eq!(ask(&stays, &Request::Unload { session: SessionId(1) }), Reply::Done);
}
