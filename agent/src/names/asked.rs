//! One question on its way: whom it was sent to, and what came back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use ropeway_agent_api::{NoAnswer, Question, Transport, answers};

/// The largest DNS message (RFC 1035, 4.2.2: its length has 16 bits).
const LARGEST: usize = 65_535;

pub struct Asked {
    question: Question,
    /// Who is still to be asked, the next one last.
    servers: Vec<SocketAddr>,
    socket: Option<Socket>,
    /// Somebody was asked, and said nothing.
    silence: bool,
    /// Which turn this is, for whoever counts its time.
    pub turn: u64,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(Tcp),
}

struct Tcp {
    stream: TcpStream,
    /// The question with its length in front, as far as it is not sent.
    unsent: Vec<u8>,
    /// The answer, with its length.
    received: Vec<u8>,
}

pub enum Progress {
    Waits,
    Answered(Bytes),
    /// This server does not answer.
    Failed,
}

impl Asked {
    pub fn new(question: Question, mut servers: Vec<SocketAddr>) -> Self {
        servers.reverse();
        Self { question, servers, socket: None, silence: false, turn: 0 }
    }

    pub fn id(&self) -> u32 {
        self.question.id
    }

    pub fn has_more(&self) -> bool {
        !self.servers.is_empty()
    }

    /// When nobody is left.
    pub fn why(&self) -> NoAnswer {
        if self.silence { NoAnswer::Silence } else { NoAnswer::Failed }
    }

    /// Sends it to the next server, from a new socket.
    pub fn next_server(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket = None;
        let server = self.servers.pop().ok_or(ErrorKind::NotFound)?;
        self.socket = Some(match self.question.over {
            Transport::Udp => Socket::Udp(self.udp(server, registry, token)?),
            Transport::Tcp => Socket::Tcp(self.tcp(server, registry, token)?),
        });
        self.silence = true;
        Ok(())
    }

    pub fn advance(&mut self) -> Progress {
        let result = match &mut self.socket {
            Some(Socket::Udp(socket)) => receive(socket, &self.question.message),
            Some(Socket::Tcp(tcp)) => tcp.advance(&self.question.message),
            None => Ok(None),
        };
        match result {
            Ok(None) => Progress::Waits,
            Ok(Some(answer)) => Progress::Answered(answer),
            // refused, unreachable: it is known at once
            Err(_) => {
                self.silence = false;
                Progress::Failed
            }
        }
    }

    fn udp(&self, server: SocketAddr, registry: &Registry, token: Token) -> io::Result<UdpSocket> {
        let any: IpAddr =
            if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let mut socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(server)?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        socket.send(&self.question.message)?;
        Ok(socket)
    }

    fn tcp(&self, server: SocketAddr, registry: &Registry, token: Token) -> io::Result<Tcp> {
        let mut stream = TcpStream::connect(server)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let length = u16::try_from(self.question.message.len()).map_err(|_| ErrorKind::InvalidInput)?;
        let unsent = [&length.to_be_bytes()[..], &self.question.message].concat();
        Ok(Tcp { stream, unsent, received: vec![] })
    }
}

/// Passes over what is no answer to it.
fn receive(socket: &UdpSocket, question: &[u8]) -> io::Result<Option<Bytes>> {
    let mut space = vec![0; LARGEST];
    loop {
        match socket.recv(&mut space) {
            Ok(length) if answers(&space[..length], question) => {
                return Ok(Some(Bytes::copy_from_slice(&space[..length])));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Tcp {
    fn advance(&mut self, question: &[u8]) -> io::Result<Option<Bytes>> {
        self.send()?;
        self.take_in()?;
        let Some((length, rest)) = self.received.split_first_chunk::<2>() else { return Ok(None) };
        let Some(answer) = rest.get(..u16::from_be_bytes(*length).into()) else { return Ok(None) };
        if answers(answer, question) {
            Ok(Some(Bytes::copy_from_slice(answer)))
        } else {
            Err(ErrorKind::InvalidData.into())
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => drop(self.unsent.drain(..length)),
                // the poll tells when it is connected, and when there is room
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take_in(&mut self) -> io::Result<()> {
        let mut space = [0; 4096];
        while self.received.len() <= 2 + LARGEST {
            match self.stream.read(&mut space) {
                Ok(0) if self.is_whole() => break,
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.received.extend(&space[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let length = self.received.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
        length.is_some_and(|length| self.received.len() >= 2 + length)
    }
}
