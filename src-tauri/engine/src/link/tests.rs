//! The engine's end against a real mux at the other end of a pipe in memory.

use std::{net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use ropeway_mux::{Config, Connection, Event, Latency, Micros, Reason, Role};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex},
    task::JoinHandle,
    time::{advance, sleep, timeout},
};

use super::*;

/// Long enough for any machine; nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Port 1 refuses, port 2 never answers, port 3 cuts when it is spoken to, all others echo and then end as the client did.
async fn agent(mut pipe: DuplexStream) {
    let mut mux = Connection::new(Config::new(Role::Agent));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let mut backlog: Vec<(StreamId, Option<Bytes>)> = vec![];
    let mut cutting = vec![];
    for tick in 0u64.. {
        let now = Micros(tick);
        while let Some(event) = mux.next_event() {
            match event {
                Event::Incoming { id, target } if target.port() == 1 => mux.refuse(id, Reason::Refused),
                Event::Incoming { id, target } if target.port() != 2 => {
                    mux.accept(id);
                    cutting.extend((target.port() == 3).then_some(id));
                }
                Event::Data { id, .. } if cutting.contains(&id) => mux.reset(id, Reason::Reset),
                Event::Data { id, data } => backlog.push((id, Some(data))),
                Event::Eof { id } => backlog.push((id, None)),
                _ => {}
            }
        }
        let mut full = vec![];
        backlog.retain_mut(|(id, part)| {
            let kept = full.contains(id) || !send_back(&mut mux, *id, part);
            full.extend(kept.then_some(*id));
            kept
        });
        while mux.transmit(&mut output, 1 << 16, now) > 0 {}
        if pipe.write_all(&output.split()).await.is_err() {
            return;
        }
        // whatever is still in the backlog waits for credit, which only the client can send
        match pipe.read_buf(&mut input).await {
            Ok(1..) => mux.receive(&input.split(), now).unwrap(),
            _ => return,
        }
    }
}

/// Whether all of it went out.
fn send_back(mux: &mut Connection, id: StreamId, part: &mut Option<Bytes>) -> bool {
    let Some(data) = part else {
        mux.finish(id);
        return true;
    };
    let sent = data.split_to(mux.send_room(id).min(data.len()));
    mux.consumed(id, sent.len());
    mux.send(id, sent);
    data.is_empty()
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

async fn read_all(stream: &Stream) -> Result<Vec<u8>, Reason> {
    let mut all = vec![];
    while let Received::Data(data) = stream.receive().await? {
        stream.consumed(data.len());
        all.extend_from_slice(&data);
    }
    Ok(all)
}

async fn write_all(stream: &Stream, mut data: Bytes) {
    while !data.is_empty() {
        let room = stream.room().await.unwrap();
        stream.send(data.split_to(room.min(data.len())));
    }
    stream.finish();
}

#[tokio::test]
async fn carries_a_stream_there_and_back_after_a_banner() {
    let setting = set_up(b"Welcome to bastion!\n");
    let stream = setting.link.open(target(80));
    let text = Bytes::from(vec![7; 300_000]);
    let (answer, ()) =
        timeout(PATIENCE, async { tokio::join!(read_all(&stream), write_all(&stream, text.clone())) })
            .await
            .unwrap();
    assert_eq!(answer.unwrap(), text);
    assert!(setting.link.health().borrow().verified, "the first heartbeat has come back");
}

#[tokio::test]
async fn a_refusal_has_its_reason_and_no_byte() {
    let setting = set_up(b"");
    let stream = setting.link.open(target(1));
    stream.send(Bytes::from_static(b"hello"));
    assert_eq!(timeout(PATIENCE, stream.opened()).await.unwrap(), Err(Reason::Refused));
    assert_eq!(stream.receive().await, Err(Reason::Refused));
}

#[tokio::test]
async fn a_stream_that_is_cut_was_still_opened() {
    let setting = set_up(b"");
    let stream = setting.link.open(target(3));
    timeout(PATIENCE, stream.opened()).await.unwrap().unwrap();
    stream.send(Bytes::from_static(b"hello"));
    assert_eq!(timeout(PATIENCE, stream.receive()).await.unwrap(), Err(Reason::Reset));
    assert_eq!(stream.opened().await, Ok(()));
}

#[tokio::test]
async fn when_the_agent_ends_every_stream_does() {
    let setting = set_up(b"");
    let (open, waiting) = (setting.link.open(target(80)), setting.link.open(target(2)));
    timeout(PATIENCE, open.opened()).await.unwrap().unwrap();
    setting.agent.abort();
    assert!(matches!(timeout(PATIENCE, setting.pump).await.unwrap().unwrap(), End::Eof | End::Pipe(_)));
    assert_eq!(waiting.opened().await, Err(Reason::Failed));
    assert_eq!(open.receive().await, Err(Reason::Failed));
    assert!(open.link_ended() && !setting.link.health().borrow().verified);
    assert_eq!(setting.link.open(target(80)).opened().await, Err(Reason::Failed), "nothing opens any more");
}

#[tokio::test]
async fn a_stopped_reader_stalls_nobody() {
    let setting = set_up(b"");
    let stopped = setting.link.open(target(80));
    let flood = async {
        loop {
            let room = stopped.room().await.unwrap();
            stopped.send(Bytes::from(vec![0; room]));
        }
    };
    let other = setting.link.open(target(81));
    let exchange = async {
        for _ in 0..50 {
            other.room().await.unwrap();
            other.send(Bytes::from_static(b"ping"));
            let Received::Data(data) = other.receive().await.unwrap() else { panic!("ended") };
            other.consumed(data.len());
        }
    };
    tokio::select! {
        () = flood => unreachable!(),
        done = timeout(PATIENCE, exchange) => done.unwrap(),
    }
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

/// A stream that waited for room is woken by what leaves, not by what arrives: else an upload moves one frame for each
/// round trip.
#[tokio::test]
async fn an_upload_does_not_wait_for_answers() {
    const ENOUGH: usize = 200_000;
    let (ours, mut theirs) = duplex(1 << 16);
    let link = Link::new(Latency::Adaptive);
    let (from, to) = tokio::io::split(ours);
    let stream = link.open(target(80));
    let silent = async {
        let mut mux = Connection::new(Config::new(Role::Agent));
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        while mux.stats().streams == 0 {
            mux.transmit(&mut output, 1 << 16, Micros(0));
            theirs.write_all(&output.split()).await.unwrap();
            theirs.read_buf(&mut input).await.unwrap();
            mux.receive(&input.split(), Micros(0)).unwrap();
        }
        while let Some(event) = mux.next_event() {
            if let Event::Incoming { id, .. } = event {
                mux.accept(id);
            }
        }
        mux.transmit(&mut output, 1 << 16, Micros(0));
        theirs.write_all(&output).await.unwrap();
        // and nothing more
        let (mut read, mut buffer) = (0, vec![0; 1 << 16]);
        while read < ENOUGH {
            read += theirs.read(&mut buffer).await.unwrap();
        }
    };
    // tasks of their own: woken for nothing but what they wait for
    tokio::spawn(async move { write_all(&stream, Bytes::from(vec![0; 2 * ENOUGH])).await });
    tokio::spawn(async move { link.run(from, to, b"").await });
    timeout(PATIENCE, silent).await.expect("the whole window arrives though nothing is answered");
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
        let (mut mux, mut output) = (Connection::new(Config::new(Role::Agent)), BytesMut::new());
        mux.transmit(&mut output, 1 << 16, Micros(0));
        // of all that it is sent it has read only the greeting
        let (mut client, mut greeting) = (Connection::new(Config::new(Role::Client)), BytesMut::new());
        client.receive(&output, Micros(0)).unwrap();
        client.transmit(&mut greeting, 1 << 16, Micros(0));
        mux.receive(&greeting, Micros(0)).unwrap();
        for _ in 0..60 {
            assert!(mux.send_control(1, Bytes::from_static(b"x")));
            while mux.transmit(&mut output, 1 << 16, Micros(0)) > 0 {}
            theirs.write_all(&output.split()).await.unwrap();
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

#[test]
fn single_bytes_are_kept_joined() {
    let mut slot = Slot::default();
    let whole: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
    for byte in &whole {
        slot.push(Bytes::copy_from_slice(&[*byte]));
    }
    assert!(slot.inbox.len() <= whole.len() / JOINED + 1, "{} pieces", slot.inbox.len());
    assert_eq!(slot.inbox.iter().flatten().copied().collect::<Vec<u8>>(), whole);
}
