//! What a hostile client can do, as functions of bytes. The fuzzer calls them with what it thinks of, and the helper's
//! test `corpus` with everything that it ever found worth keeping.
//!
//! The kernel's part is a fake; decoder, client, rules, names and server are the real ones.

use std::{
    fs::{self, File},
    io::Write,
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, Mutex},
    thread,
};

use ropeway_helper::{
    client::Client,
    grants::Grants,
    hosts::HostsFile,
    rules::{ClientId, Firewall, FirewallError, Rules, Script, State as Seen, Table},
    server::Server,
    state::State,
    store::Store,
};
use ropeway_helper_api::{
    Grant, Message, Reply, Request,
    wire::{self, Json},
};

/// Has the wider grant; nobody's real user.
const ALL: u32 = 59_000;
/// May send their own traffic.
const OWN: u32 = 59_001;

/// More than a conversation needs to reach every state; the fuzzer likes to repeat itself.
const REQUESTS: usize = 64;

/// The bytes as they come on the socket: frames, halves of frames, anything.
pub fn stream(bytes: &[u8]) {
    let world = World::new();
    let (near, far) = UnixStream::pair().expect("a pair of sockets");
    let server = Server::new(world.state());
    let replies = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let _ = (&near).write_all(bytes); // the helper may have hung up
            let _ = near.shutdown(Shutdown::Write);
        });
        let replies = scope.spawn(|| read_replies(&near));
        server.serve(far, ALL).expect("there is room for one");
        writer.join().expect("writing does not panic"); // a thread that still ends looks like a leak
        replies.join().expect("replies are messages")
    });
    assert!(replies <= bytes.len() / 4, "{replies} answers to {} bytes", bytes.len());
    world.assert_nothing_is_redirected();
}

/// A request on each line, as JSON. The first byte of the input says who sends them, that of a line how many
/// descriptors come along.
pub fn requests(bytes: &[u8]) {
    let Some((who, rest)) = bytes.split_first() else { return };
    let world = World::new();
    let state = Mutex::new(world.state());
    let uid = if who % 2 == 0 { ALL } else { OWN };
    let mut client = Client::new(ClientId(1), uid);
    let hello = br#"0{"type":"hello","epoch":1,"revision":0,"version":""}"#;
    for line in [&hello[..]].into_iter().chain(rest.split(|byte| *byte == b'\n')).take(REQUESTS) {
        let Some((count, json)) = line.split_first() else { continue };
        let Ok(message) = Request::from_json(json) else { continue };
        let fds = (0..count % 3).map(|_| descriptor()).collect();
        let answer = client.answer(&state, wire::Received { message, fds });
        if answer.close {
            assert!(matches!(answer.reply, Reply::Error(_)), "only a refusal ends a connection");
            break;
        }
    }
    state.lock().expect("nobody panicked").undo(ClientId(1)).expect("the rules of others stay");
    world.assert_nothing_is_redirected();
    assert_eq!(fs::read(world.hosts()).expect("it is there"), World::HOSTS, "names stay");
}

fn read_replies(socket: &UnixStream) -> usize {
    let mut count = 0;
    while let Ok(Some(received)) = wire::receive::<Message>(socket) {
        assert!(matches!(received.message, Message::Reply { .. }));
        count += 1;
    }
    count
}

fn descriptor() -> OwnedFd {
    File::open("/dev/null").expect("every system has it").into()
}

/// A kernel and the files of one helper.
struct World {
    kernel: Fake,
    folder: tempfile::TempDir,
}

impl World {
    const HOSTS: &[u8] = b"127.0.0.1 localhost\n10.0.0.9 taken\n";

    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("hosts"), Self::HOSTS).expect("room for a small file");
        Self { kernel: Fake::default(), folder }
    }

    fn state(&self) -> State<Fake> {
        let store = Store::new(self.folder.path().join("state"));
        let mut grants = Grants::new(store.clone());
        grants.record(ALL, Grant::All).expect("room for a small file");
        grants.record(OWN, Grant::Own).expect("room for a small file");
        let hosts = HostsFile::new(self.hosts(), store.clone());
        State::new(Rules::new(self.kernel.clone(), store), hosts, grants)
    }

    fn hosts(&self) -> std::path::PathBuf {
        self.folder.path().join("hosts")
    }

    fn assert_nothing_is_redirected(&self) {
        assert!(!self.kernel.has(Table::Redirect), "rules without a client");
    }
}

/// Takes every table.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Vec<Table>>>);

impl Fake {
    fn has(&self, table: Table) -> bool {
        self.0.lock().expect("nobody panicked").contains(&table)
    }
}

impl Firewall for Fake {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        assert!(!script.to_string().is_empty());
        let mut tables = self.0.lock().expect("nobody panicked");
        tables.retain(|table| *table != script.table);
        tables.push(script.table);
        Ok(())
    }

    fn remove(&mut self, table: Table) -> Result<(), FirewallError> {
        self.0.lock().expect("nobody panicked").retain(|other| *other != table);
        Ok(())
    }

    fn state(&mut self, table: Table) -> Result<Seen, FirewallError> {
        Ok(if self.has(table) { Seen::Intact } else { Seen::Gone })
    }
}
