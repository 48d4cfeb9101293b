//! A system bus of its own, in a network namespace of its own, with the real program as a service that it starts.

use std::{
    fmt::Debug,
    fs,
    io::{BufRead, BufReader, Write, stderr},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::Uid,
};
use ropeway_helper_api::{EPOCH, Grant, Message, REVISION, Reply, Request, bus, wire};
use tempfile::TempDir;
use zbus::{
    Message as Call,
    blocking::{Connection, connection},
    zvariant::{self, DynamicType},
};

/// Nothing in these tests takes a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Has grant `all`. These three are users of every Linux (daemon, bin, nobody), because the bus serves no unknown ones.
pub const ALICE: u32 = 1;
/// Has grant `own`.
pub const BOB: u32 = 2;
/// Has none.
pub const EVE: u32 = 65_534;

pub struct World {
    folder: TempDir,
    daemon: Child,
}

/// Runs the test with a bus; `idle` is what the helper thinks is a while.
pub fn in_world(idle: Duration, test: impl FnOnce(&World) + Send + 'static) {
    if !Uid::effective().is_root() {
        // not captured by the test runner, as eprintln! would be
        let _ =
            writeln!(stderr(), "\n*** SKIPPED: this test makes a network namespace, which needs root ***");
        return;
    }
    let result = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        test(&World::new(idle));
    });
    if let Err(panic) = result.join() {
        std::panic::resume_unwind(panic);
    }
}

/// What the closure does is done by this user: the thread becomes theirs, and only that.
pub fn as_user<T: Send>(uid: u32, act: impl FnOnce() -> T + Send) -> T {
    let act = || {
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        act()
    };
    thread::scope(|scope| scope.spawn(act).join().unwrap())
}

pub fn eventually<T: Debug + PartialEq>(expected: &T, look: impl Fn() -> T) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if seen == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "still {seen:?}, not {expected:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

impl World {
    fn new(idle: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_ropeway-helper"), folder.path().join("helper")).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let grants = format!("{{\"{ALICE}\":\"all\",\"{BOB}\":\"own\"}}");
        fs::write(folder.path().join("state/grants"), grants).unwrap();
        fs::write(folder.path().join("hosts"), "127.0.0.1 localhost\n").unwrap();
        fs::create_dir(folder.path().join("services")).unwrap();
        fs::write(folder.path().join("services/helper.service"), service(folder.path(), idle)).unwrap();
        fs::write(folder.path().join("bus.conf"), configuration(folder.path())).unwrap();
        let daemon = daemon(&folder.path().join("bus.conf"));
        Self { folder, daemon }
    }

    pub fn program(&self) -> PathBuf {
        self.folder.path().join("helper")
    }

    /// A connection of this user to the bus.
    pub fn bus(&self, uid: u32) -> Connection {
        let path = self.folder.path().join("bus");
        let stream = as_user(uid, || UnixStream::connect(path)).unwrap();
        connection::Builder::async_io_unix_stream(stream)
            .user_id(uid)
            .method_timeout(PATIENCE)
            .build()
            .unwrap()
    }

    pub fn open(&self, uid: u32) -> UnixStream {
        open(&self.bus(uid)).unwrap()
    }

    /// The helper's process, when it has its name.
    pub fn helper(&self) -> Option<u32> {
        let asked = "GetConnectionUnixProcessID";
        let bus = "org.freedesktop.DBus";
        let reply = self.bus(0).call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), asked, &bus::NAME);
        reply.ok().map(|reply| reply.body().deserialize().unwrap())
    }
}

impl Drop for World {
    /// The helper sees the end of the bus.
    fn drop(&mut self) {
        let helper = self.helper();
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
        if let Some(helper) = helper {
            eventually(&false, || is_running(helper));
        }
    }
}

pub fn is_running(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

pub fn call<B>(bus: &Connection, method: &str, body: &B) -> Result<Call, String>
where
    B: serde::Serialize + DynamicType,
{
    bus.call_method(Some(bus::NAME), bus::PATH, Some(bus::INTERFACE), method, body).map_err(|error| {
        match error {
            zbus::Error::MethodError(name, ..) => name.to_string(),
            other => panic!("{other}"),
        }
    })
}

pub fn open(bus: &Connection) -> Result<UnixStream, String> {
    let reply = call(bus, bus::OPEN, &())?;
    let fd: zvariant::OwnedFd = reply.body().deserialize().unwrap();
    Ok(OwnedFd::from(fd).into())
}

pub fn hello() -> Request {
    Request::Hello { epoch: EPOCH, revision: REVISION, version: "test".into() }
}

/// What the helper says of the grant.
pub fn greet(uid: u32, line: &UnixStream) -> Grant {
    match ask(uid, line, &hello()) {
        Reply::Hello { grant, .. } => grant,
        other => panic!("{other:?}"),
    }
}

pub fn ask(uid: u32, line: &UnixStream, request: &Request) -> Reply {
    as_user(uid, || wire::send(line, request, &[])).unwrap();
    match next(line) {
        Some(Message::Reply { reply }) => reply,
        other => panic!("{other:?}"),
    }
}

/// None at the end, however it came.
pub fn next(line: &UnixStream) -> Option<Message> {
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    match wire::receive(line) {
        Ok(received) => received.map(|received| received.message),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

fn service(folder: &Path, idle: Duration) -> String {
    let (folder, idle) = (folder.display(), idle.as_millis());
    format!(
        "[D-BUS Service]\nName={name}\nExec=/usr/bin/env RUST_LOG=info ROPEWAY_HELPER_STATE={folder}/state \
         ROPEWAY_HELPER_HOSTS={folder}/hosts ROPEWAY_HELPER_IDLE={idle} \
         DBUS_SYSTEM_BUS_ADDRESS=unix:path={folder}/bus {folder}/helper --bus\n",
        name = bus::NAME
    )
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"<busconfig>
          <type>custom</type>
          <listen>unix:path={folder}/bus</listen>
          <auth>EXTERNAL</auth>
          <servicedir>{folder}/services</servicedir>
          <policy context="default">
            <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
          </policy>
        </busconfig>"#
    )
}

/// It says its address when it is ready.
fn daemon(configuration: &Path) -> Child {
    let mut daemon = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", configuration.display()))
        .args(["--nofork", "--nopidfile", "--nosyslog", "--print-address"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("unix:"), "{address}");
    daemon
}
