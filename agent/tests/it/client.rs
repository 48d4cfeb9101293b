//! A small blocking client: it does what the engine does, for one thread of a test.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use ropeway_mux::{Config, Connection, Event, Micros, Reason, Role, Source, StreamId, Supply};

/// Far more than any test needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

pub const AGENT: &str = env!("CARGO_BIN_EXE_ropeway-agent");

/// One agent and the pipe to it.
pub struct Client {
    agent: Child,
    to_agent: Option<Box<dyn Write>>,
    from_agent: Receiver<Vec<u8>>,
    mux: Connection,
    start: Instant,
    streams: HashMap<StreamId, Stream>,
}

/// What a stream brought and what it still has to send.
#[derive(Default)]
pub struct Stream {
    pub opened: bool,
    pub refused: Option<Reason>,
    pub reset: Option<Reason>,
    pub eof: bool,
    pub received: Vec<u8>,
    reader: Reader,
    unsent: Bytes,
    finish: Option<Finish>,
}

#[derive(Default, PartialEq)]
enum Reader {
    #[default]
    Awake,
    /// Consumes nothing, ever.
    Asleep,
}

/// Our direction ends once everything is sent.
struct Finish;

impl Client {
    pub fn start() -> Self {
        Self::spawn(Command::new(AGENT).stdin(Stdio::piped()).stdout(Stdio::piped()))
    }

    /// `command` must have its stdin and stdout piped and become an agent.
    pub fn spawn(command: &mut Command) -> Self {
        let mut agent = command.stderr(Stdio::piped()).spawn().expect("the agent starts");
        let stdin = agent.stdin.take().expect("piped");
        let stdout = agent.stdout.take().expect("piped");
        Self::new(agent, Box::new(stdin), stdout)
    }

    /// As some sshd do it: one socket for both directions. Also gives the agent's end of it.
    pub fn start_on_a_socket() -> (Self, OwnedFd) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let theirs = OwnedFd::from(theirs);
        let agent = Command::new(AGENT)
            .stdin(theirs.try_clone().expect("a descriptor"))
            .stdout(theirs.try_clone().expect("a descriptor"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let reader = ours.try_clone().expect("a descriptor");
        (Self::new(agent, Box::new(Ending(ours)), reader), theirs)
    }

    fn new(agent: Child, to_agent: Box<dyn Write>, stdout: impl Read + Send + 'static) -> Self {
        Self {
            agent,
            to_agent: Some(to_agent),
            from_agent: read_in_the_background(stdout),
            mux: Connection::new(Config::new(Role::Client)),
            start: Instant::now(),
            streams: HashMap::new(),
        }
    }

    pub fn open(&mut self, target: SocketAddr) -> StreamId {
        let id = self.mux.open(target, self.now()).expect("not too many");
        self.streams.insert(id, Stream::default());
        id
    }

    /// Opens and waits until the agent says that it is connected.
    pub fn connect(&mut self, target: SocketAddr) -> StreamId {
        let id = self.open(target);
        self.wait("the connection", |client| client.stream(id).opened);
        id
    }

    /// To be sent while the client waits for something.
    pub fn send(&mut self, id: StreamId, data: impl Into<Bytes>) {
        let stream = self.streams.get_mut(&id).expect("known");
        assert!(stream.unsent.is_empty(), "one send at a time");
        stream.unsent = data.into();
        self.mux.ready(id);
    }

    /// Our direction ends, after what was sent.
    pub fn finish(&mut self, id: StreamId) {
        self.streams.get_mut(&id).expect("known").finish = Some(Finish);
        self.mux.ready(id);
    }

    pub fn reset(&mut self, id: StreamId) {
        self.mux.reset(id, Reason::Reset, self.now());
    }

    /// From now on nobody reads this stream.
    pub fn stop_reading(&mut self, id: StreamId) {
        self.streams.get_mut(&id).expect("known").reader = Reader::Asleep;
    }

    pub fn stream(&self, id: StreamId) -> &Stream {
        &self.streams[&id]
    }

    pub fn unsent(&self, id: StreamId) -> usize {
        self.stream(id).unsent.len()
    }

    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// Bytes that the mux here holds for readers that sleep.
    pub fn unread(&self) -> usize {
        self.mux.stats().unread
    }

    /// Moves everything that can move until `done`.
    pub fn wait(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        self.pump();
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            // What is paced goes on at its time.
            let wake = self.mux.next_deadline().map(|at| at.0.saturating_sub(self.now().0));
            let patience = wake.map_or(left, |micros| left.min(Duration::from_micros(micros)));
            match self.from_agent.recv_timeout(patience) {
                Ok(bytes) => self.receive(&bytes),
                Err(RecvTimeoutError::Timeout) if patience < left => self.mux.expire(self.now()),
                Err(error) => panic!("waiting for {what}: {error}"),
            }
            self.pump();
        }
    }

    /// Writes past the mux.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        self.to_agent.as_mut().expect("open").write_all(bytes).expect("the agent reads");
    }

    pub fn close_stdin(&mut self) {
        self.to_agent = None;
    }

    /// Memory that the agent has now.
    #[cfg(target_os = "linux")]
    pub fn resident_kib(&self) -> usize {
        number_in_status(self.pid(), "VmRSS:")
    }

    pub fn pid(&self) -> u32 {
        self.agent.id()
    }

    /// How the agent ended, and its stderr.
    pub fn wait_for_exit(mut self) -> (ExitStatus, String) {
        let mut stderr = String::new();
        let mut pipe = self.agent.stderr.take().expect("piped");
        pipe.read_to_string(&mut stderr).expect("stderr is text");
        (self.agent.wait().expect("waited once"), stderr)
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        let now = self.now();
        while let Some(event) = self.mux.receive(&mut bytes, now).expect("the agent speaks our protocol") {
            match event {
                Event::Opened { id } => self.stream_mut(id).opened = true,
                Event::Refused { id, reason } => self.stream_mut(id).refused = Some(reason),
                Event::Reset { id, reason } => self.stream_mut(id).reset = Some(reason),
                Event::Eof { id } => self.stream_mut(id).eof = true,
                Event::Data { id, data } => self.on_data(id, data),
                _ => {}
            }
        }
    }

    fn pump(&mut self) {
        let mut space = vec![0; 64 << 10];
        loop {
            let now = self.now();
            let length = self.mux.transmit(&mut space, now, &mut Streams(&mut self.streams));
            if length == 0 {
                return;
            }
            self.write_raw(&space[..length]);
        }
    }

    fn on_data(&mut self, id: StreamId, data: &[u8]) {
        let now = self.now();
        let stream = self.stream_mut(id);
        stream.received.extend_from_slice(data);
        if stream.reader == Reader::Awake {
            self.mux.consumed(id, data.len(), now);
        }
    }

    fn stream_mut(&mut self, id: StreamId) -> &mut Stream {
        self.streams.get_mut(&id).expect("the agent opens no streams")
    }
}

/// What the client has to send.
struct Streams<'a>(&'a mut HashMap<StreamId, Stream>);

impl Source for Streams<'_> {
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply {
        let Some(stream) = self.0.get_mut(&id) else { return Supply::Empty };
        let count = buffer.len().min(stream.unsent.len());
        if count == 0 {
            return if stream.finish.take().is_some() { Supply::End } else { Supply::Empty };
        }
        stream.unsent.copy_to_slice(&mut buffer[..count]);
        Supply::Bytes { count, more: true }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Dropping it ends the direction though the reader's clone lives on.
struct Ending(UnixStream);

impl Write for Ending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }
}

/// A number of a process, as Linux tells it.
#[cfg(target_os = "linux")]
pub fn number_in_status(pid: u32, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the agent runs");
    let line = status.lines().find(|line| line.starts_with(field)).expect("Linux says so");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn read_in_the_background(mut stdout: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
