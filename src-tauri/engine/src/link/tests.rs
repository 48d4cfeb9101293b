//! The engine's end against a real mux at the other end of a pipe in memory. Programs are real sockets.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ropeway_agent_api::{Report, Request};
use ropeway_mux::{Config, Connection, Event, Latency, Micros, Reason, Role, Source, StreamId, Supply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex},
    net::UnixStream,
    task::JoinHandle,
    time::{advance, sleep, timeout},
};

use super::*;

/// Long enough for any machine; nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an agent has to send back, and whether that is all.
#[derive(Default)]
struct Echoes(BTreeMap<StreamId, (VecDeque<u8>, bool)>);

impl Source for Echoes {
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply {
        let Some((bytes, ends)) = self.0.get_mut(&id) else { return Supply::Empty };
        let count = buffer.len().min(bytes.len());
        if count == 0 {
            return if std::mem::take(ends) { Supply::End } else { Supply::Empty };
        }
        bytes.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Supply::Bytes { count, more: true }
    }
}

/// What `mux` writes now.
fn transmit(mux: &mut Connection, now: Micros, source: &mut impl Source) -> Vec<u8> {
    let (mut out, mut space) = (vec![], vec![0; 1 << 16]);
    loop {
        let count = mux.transmit(&mut space, now, source);
        if count == 0 {
            return out;
        }
        out.extend_from_slice(&space[..count]);
    }
}

/// Port 1 refuses, port 2 never answers, port 3 cuts when it is spoken to, all others echo and
/// then end as the client did.
async fn agent(mut pipe: DuplexStream) {
    let mut mux = Connection::new(Config::new(Role::Agent));
    let (mut input, mut echoes, mut cutting) = (BytesMut::new(), Echoes::default(), vec![]);
    let start = std::time::Instant::now();
    loop {
        let now = Micros(start.elapsed().as_micros() as u64);
        let bytes = input.split();
        let mut bytes = &bytes[..];
        while let Some(event) = mux.receive(&mut bytes, now).unwrap() {
            match event {
                // it says back what it is asked
                Event::Control { kind, data } => assert!(mux.send_control(kind, data)),
                Event::Incoming { id, target } if target.port() == 1 => mux.refuse(id, Reason::Refused),
                Event::Incoming { id, target } if target.port() != 2 => {
                    mux.accept(id);
                    cutting.extend((target.port() == 3).then_some(id));
                }
                Event::Data { id, .. } if cutting.contains(&id) => mux.reset(id, Reason::Reset, now),
                Event::Data { id, data } => {
                    echoes.0.entry(id).or_default().0.extend(data);
                    mux.consumed(id, data.len(), now);
                    mux.ready(id);
                }
                Event::Eof { id } => {
                    echoes.0.entry(id).or_default().1 = true;
                    mux.ready(id);
                }
                _ => {}
            }
        }
        let out = transmit(&mut mux, now, &mut echoes);
        if pipe.write_all(&out).await.is_err() {
            return;
        }
        // paced bulk goes on by itself, everything else when the client says something
        let deadline = mux.next_deadline().map_or(PATIENCE, |_| Duration::from_millis(1));
        match timeout(deadline, pipe.read_buf(&mut input)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return,
            Err(_) => mux.expire(now),
        }
    }
}

struct Setting {
    link: Link,
    pump: JoinHandle<End>,
    agent: JoinHandle<()>,
}

fn set_up(noise: &'static [u8]) -> Setting {
    let (ours, theirs) = duplex(1 << 16);
    let link = Link::new(Latency::Adaptive);
    let (from, to) = tokio::io::split(ours);
    let running = link.clone();
    let pump = tokio::spawn(async move { running.run(from, to, noise).await });
    Setting { link, pump, agent: tokio::spawn(agent(theirs)) }
}

fn target(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 1, 2, 3], port))
}

/// A program's connection as a listener has it, and what it was told.
struct Wire {
    socket: UnixStream,
    told: Mutex<Vec<&'static str>>,
}

impl Wire {
    fn tell(&self, what: &'static str) {
        self.told.lock().unwrap().push(what);
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }
}

impl Program for Wire {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }

    fn poll_read_ready(&self, context: &mut Context) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    fn finish(&self) {
        self.tell("finish");
        socket2::SockRef::from(&self.socket).shutdown(std::net::Shutdown::Write).unwrap();
    }

    fn opened(&self) {
        self.tell("opened");
    }

    fn closing(&self) {
        self.tell("closing");
    }
}

/// A program, its connection, and the stream for it.
fn connect(link: &Link, port: u16) -> (UnixStream, Arc<Wire>, Stream) {
    let (program, socket) = UnixStream::pair().unwrap();
    let wire = Arc::new(Wire { socket, told: Mutex::default() });
    let stream = link.open(target(port), wire.clone());
    (program, wire, stream)
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("in time")
}

#[tokio::test]
async fn carries_a_stream_there_and_back_after_a_banner() {
    let setting = set_up(b"Welcome to bastion!\n");
    let (program, wire, stream) = connect(&setting.link, 80);
    let text = vec![7; 3_000_000];
    let (mut reader, mut writer) = program.into_split();
    let write = async {
        writer.write_all(&text).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut answer = vec![];
    let (read, ()) = within(async { tokio::join!(reader.read_to_end(&mut answer), write) }).await;
    read.unwrap();
    assert!(answer == text);
    assert_eq!(within(stream.ended()).await, Ok(()));
    assert_eq!(wire.told(), ["opened", "closing", "finish"]);
    assert!(setting.link.health().borrow().verified, "the first heartbeat has come back");
}

#[tokio::test]
async fn a_refusal_has_its_reason_and_no_byte() {
    let setting = set_up(b"");
    let (mut program, wire, stream) = connect(&setting.link, 1);
    program.write_all(b"hello").await.unwrap();
    assert_eq!(within(stream.ended()).await, Err(Cut::Refused(Reason::Refused)));
    assert_eq!(wire.told(), Vec::<&str>::new());
    drop((stream, wire));
    let mut answer = vec![];
    let _ = within(program.read_to_end(&mut answer)).await;
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn a_stream_that_is_cut_was_still_opened() {
    let setting = set_up(b"");
    let (mut program, wire, stream) = connect(&setting.link, 3);
    program.write_all(b"hello").await.unwrap();
    assert_eq!(within(stream.ended()).await, Err(Cut::Far));
    assert_eq!(wire.told(), ["opened"]);
}

#[tokio::test]
async fn a_program_that_is_gone_is_told_to_the_far_end() {
    let setting = set_up(b"");
    let (program, wire, stream) = connect(&setting.link, 80);
    drop(program);
    // its end is said and comes back, and nobody is there to hear
    assert_eq!(within(stream.ended()).await, Ok(()));
    assert!(wire.told().contains(&"closing"));
}

#[tokio::test]
async fn when_the_agent_ends_every_stream_does() {
    let setting = set_up(b"");
    let (open, waiting) = (connect(&setting.link, 80), connect(&setting.link, 2));
    while open.1.told() != ["opened"] {
        tokio::task::yield_now().await;
    }
    setting.agent.abort();
    assert!(matches!(within(setting.pump).await.unwrap(), End::Eof | End::Pipe(_)));
    assert_eq!(waiting.2.ended().await, Err(Cut::Link));
    assert_eq!(open.2.ended().await, Err(Cut::Link));
    assert!(!setting.link.health().borrow().verified);
    assert_eq!(connect(&setting.link, 80).2.ended().await, Err(Cut::Link), "nothing opens any more");
}

/// Stopped after its window has grown. What was read for it is bounded by that, and another stream goes on.
#[tokio::test]
async fn a_stopped_reader_costs_its_window_and_stalls_nobody() {
    let setting = set_up(b"");
    let (stopped, _wire, _stream) = connect(&setting.link, 80);
    let (mut reader, mut writer) = stopped.into_split();
    let flood = async {
        let block = vec![1; 1 << 16];
        loop {
            writer.write_all(&block).await.unwrap();
        }
    };
    let reading = async {
        let (mut all, mut buffer) = (0, vec![0; 1 << 16]);
        while all < 20_000_000 {
            all += reader.read(&mut buffer).await.unwrap();
        }
        let (mut other, _wire, _stream) = connect(&setting.link, 81);
        let mut answer = [0; 4];
        for _ in 0..200 {
            other.write_all(b"ping").await.unwrap();
            other.read_exact(&mut answer).await.unwrap();
        }
    };
    tokio::select! {
        () = flood => unreachable!(),
        () = within(reading) => {}
    }
    let unread = setting.link.shared.state().mux.stats().unread;
    assert!(unread <= 5 << 19, "{unread}");
}

/// More bytes than the mux has credit for before its far end has answered.
#[tokio::test]
async fn an_upload_does_not_wait_for_answers() {
    const ENOUGH: usize = 60_000;
    let (ours, mut theirs) = duplex(1 << 17);
    let link = Link::new(Latency::Adaptive);
    let (from, to) = tokio::io::split(ours);
    let (mut program, _wire, _stream) = connect(&link, 80);
    let silent = async {
        let mut mux = Connection::new(Config::new(Role::Agent));
        let mut input = BytesMut::new();
        while mux.stats().streams == 0 {
            theirs.write_all(&transmit(&mut mux, Micros(0), &mut Echoes::default())).await.unwrap();
            theirs.read_buf(&mut input).await.unwrap();
            let bytes = input.split();
            let mut bytes = &bytes[..];
            while let Some(event) = mux.receive(&mut bytes, Micros(0)).unwrap() {
                if let Event::Incoming { id, .. } = event {
                    mux.accept(id);
                }
            }
        }
        theirs.write_all(&transmit(&mut mux, Micros(0), &mut Echoes::default())).await.unwrap();
        // and nothing more
        let (mut read, mut buffer) = (0, vec![0; 1 << 16]);
        while read < ENOUGH {
            read += theirs.read(&mut buffer).await.unwrap();
        }
    };
    // tasks of their own: woken for nothing but what they wait for
    tokio::spawn(async move { program.write_all(&vec![0; 2 * ENOUGH]).await });
    tokio::spawn(async move { link.run(from, to, b"").await });
    timeout(PATIENCE, silent).await.expect("the whole window arrives though nothing is answered");
}

#[tokio::test]
async fn what_is_no_agent_ends_with_the_reason() {
    let (ours, mut theirs) = duplex(1 << 16);
    let link = Link::new(Latency::Adaptive);
    let (from, to) = tokio::io::split(ours);
    let chatter = async {
        // more than any banner, and never the start marker
        while theirs.write_all(&[b'x'; 4096]).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = timeout(PATIENCE, link.run(from, to, b"")) => assert!(matches!(end.unwrap(), End::Protocol(_))),
        () = chatter => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_nothing_is_dead_after_four_beats() {
    let (ours, _theirs) = duplex(1 << 16);
    let (from, to) = tokio::io::split(ours);
    let start = tokio::time::Instant::now();
    assert!(matches!(Link::new(Latency::Adaptive).run(from, to, b"").await, End::NoAnswer));
    assert_eq!(start.elapsed().as_secs(), 20);
}

/// On a slow line a heartbeat waits behind what was sent before it.
#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_in_are_life_though_no_heartbeat_comes_back() {
    let (ours, mut theirs) = duplex(1 << 16);
    let link = Link::new(Latency::Adaptive);
    let (from, to) = tokio::io::split(ours);
    let trickle = async {
        let mut mux = Connection::new(Config::new(Role::Agent));
        let mut output = transmit(&mut mux, Micros(0), &mut Echoes::default());
        // of all that it is sent it has read only the greeting
        let mut client = Connection::new(Config::new(Role::Client));
        while client.receive(&mut &output[..], Micros(0)).unwrap() != Some(Event::Ready) {}
        let greeting = transmit(&mut client, Micros(0), &mut Echoes::default());
        while mux.receive(&mut &greeting[..], Micros(0)).unwrap() != Some(Event::Ready) {}
        for _ in 0..60 {
            assert!(mux.send_control(1, Bytes::from_static(b"x")));
            output.extend(transmit(&mut mux, Micros(0), &mut Echoes::default()));
            theirs.write_all(&std::mem::take(&mut output)).await.unwrap();
            sleep(Duration::from_secs(7)).await;
        }
    };
    tokio::select! {
        end = link.run(from, to, b"") => panic!("{end:?}"),
        () = trickle => {}
    }
    assert!(!link.health().borrow().verified, "bytes are no answer");
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_told_and_so_is_its_end() {
    let (ours, mut near) = duplex(1 << 16);
    let (mut far, theirs) = duplex(1 << 16);
    let link = Link::new(Latency::Adaptive);
    let (running, (from, to)) = (link.clone(), tokio::io::split(ours));
    tokio::spawn(async move { running.run(from, to, b"").await });
    tokio::spawn(agent(theirs));
    let start = tokio::time::Instant::now();
    tokio::spawn(async move {
        let _ = timeout(Duration::from_secs(7), copy_bidirectional(&mut near, &mut far)).await;
        sleep(Duration::from_secs(15)).await;
        copy_bidirectional(&mut near, &mut far).await
    });
    let mut health = link.health();
    for (verified, second) in [(true, 0), (false, 20), (true, 22)] {
        health.wait_for(|health| health.verified == verified).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_asks_before_it_gives_up() {
    let setting = set_up(b"");
    setting.link.health().wait_for(|health| health.verified).await.unwrap();
    advance(Duration::from_hours(1)).await;
    sleep(Duration::from_secs(30)).await;
    assert!(!setting.pump.is_finished() && setting.link.health().borrow().verified);
}

#[tokio::test]
async fn what_the_agent_tells_is_heard_by_all_who_listen_and_nonsense_by_nobody() {
    let setting = set_up(b"");
    let mut listeners = [setting.link.reports(), setting.link.reports()];
    // back come the same bytes: a report without its content is none, and four letters are an address
    setting.link.ask(&Request::Routes);
    setting.link.ask(&Request::LookUp { id: 7, name: "abcd".into() });
    for reports in &mut listeners {
        let report = within(reports.recv()).await.unwrap();
        assert_eq!(report, Report::LookedUp { id: 7, addresses: vec![[97, 98, 99, 100].into()] });
    }
}
