//! Questions to a name server: one after the other, from many askers.

use std::{
    io,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use crate::{Family, Host, Place};

/// When a resolver asks again (resolv.conf(5)).
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer with one address.
const ANSWER: usize = 512;

/// What came of them.
#[derive(Debug, Default)]
pub struct Questions {
    /// Milliseconds, of those that were answered.
    pub took: Vec<f64>,
    /// Not answered in time, or wrongly.
    pub failed: usize,
    /// Answers for each second.
    pub rate: f64,
}

impl Questions {
    /// `askers` of them, each with a socket of its own, asking for that long.
    pub fn steady(host: &Host, name: &str, askers: usize, time: Duration) -> Result<Self> {
        let results = host.run(|| -> Result<Vec<Vec<Option<f64>>>> {
            let sockets = (0..askers).map(|_| socket()).collect::<io::Result<Vec<_>>>()?;
            let began = Instant::now();
            let threads: Vec<_> = sockets
                .into_iter()
                .map(|socket| {
                    let name = name.to_owned();
                    thread::spawn(move || {
                        let mut results = vec![];
                        while began.elapsed() < time {
                            results.push(ask(&socket, &name, results.len() as u16));
                        }
                        results
                    })
                })
                .collect();
            Ok(threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect())
        })??;
        let all: Vec<Option<f64>> = results.into_iter().flatten().collect();
        let took: Vec<f64> = all.iter().copied().flatten().collect();
        Ok(Self { rate: took.len() as f64 / time.as_secs_f64(), failed: all.len() - took.len(), took })
    }
}

/// To the name server that the client asks; the tunnel takes it wherever it goes.
fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((Place::Hub.address(Family::V4), crate::ports::DNS))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Milliseconds until the right answer.
fn ask(socket: &UdpSocket, name: &str, id: u16) -> Option<f64> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = (QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(Name::new(name).ok()?, kind.0, kind.1, false));
    let began = Instant::now();
    socket.send(&packet.build_bytes_vec().ok()?).ok()?;
    let mut answer = [0; ANSWER];
    loop {
        let length = socket.recv(&mut answer).ok()?;
        let answer = Packet::parse(&answer[..length]).ok()?;
        if answer.id() == id {
            let right = answer.rcode() == RCODE::NoError && answer.answers.len() == 1;
            return right.then(|| began.elapsed().as_secs_f64() * 1e3);
        }
    }
}
