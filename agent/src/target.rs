//! One connection to a target: it is made, carries bytes both ways, and each direction ends on its own.
//!
//! It is read when the mux asks for it, straight into the buffer of the pipe, and credit is returned only for what the
//! target's socket took: a slow reader at either end stops its own writer and nobody else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry};
use nix::errno::Errno;
use ropeway_mux::{Connection, Micros, Reason, StreamId, Supply};
use socket2::SockRef;

use crate::readiness::Readiness;
use crate::reason;
use crate::targets::token_of;
use crate::unsent::Unsent;

/// What became of a target that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lives,
    Ended,
}

/// A connection and what it still owes.
pub struct Target {
    id: StreamId,
    socket: TcpStream,
    connecting: bool,
    input: Input,
    output: Output,
    /// Bytes that the target's socket has not taken; at most the stream's window. Empty unless it is full.
    unsent: Unsent,
    /// Why the connection is dead. What the target had sent before is still delivered, as a kernel would.
    broken: Option<io::Error>,
}

/// From the target to the client.
enum Input {
    Open(Readiness),
    Ended,
}

/// From the client to the target.
#[derive(PartialEq, Eq)]
enum Output {
    Open,
    /// The client is done; said to the target after the last byte.
    Ending,
    Ended,
}

impl Target {
    /// Begins to connect; the poll says when that is decided.
    pub fn connect(id: StreamId, address: SocketAddr, registry: &Registry) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, token_of(id), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            id,
            socket,
            connecting: true,
            input: Input::Open(Readiness::default()),
            output: Output::Open,
            unsent: Unsent::default(),
            broken: None,
        })
    }

    pub fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// What the poll says; [`Self::advance`] must follow.
    pub fn note(&mut self, event: &Event) {
        match &mut self.input {
            Input::Open(readiness) => readiness.note(event),
            // Nobody reads here any more, so a reset would go unseen.
            Input::Ended if event.is_error() && self.broken.is_none() => {
                self.broken = self.socket.take_error().ok().flatten();
            }
            Input::Ended => {}
        }
    }

    /// Does what the poll has made possible, and tells the mux.
    pub fn advance(&mut self, mux: &mut Connection, now: Micros) -> Fate {
        if self.connecting {
            match self.establish(mux) {
                Ok(true) => {}
                Ok(false) => return Fate::Lives,
                Err(error) => {
                    mux.refuse(self.id, reason::of(&error));
                    return Fate::Ended;
                }
            }
        }
        self.deliver(mux, now);
        if matches!(&self.input, Input::Open(readiness) if readiness.is_ready()) {
            mux.ready(self.id);
        }
        self.fate(mux, now)
    }

    /// Bytes from the client: to the socket at once, what it takes of them.
    pub fn push(&mut self, data: &[u8], mux: &mut Connection, now: Micros) -> Fate {
        let mut written = 0;
        if !self.connecting && self.unsent.is_empty() && self.broken.is_none() {
            match self.socket.write(data) {
                Ok(length) => written = length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => self.broken = Some(error),
            }
            mux.consumed(self.id, written, now);
        }
        if written == data.len() {
            return Fate::Lives;
        }
        self.unsent.push(&data[written..]);
        // A short write filled the socket, and the poll will tell; only a dead one has something to do now.
        if self.broken.is_some() { self.advance(mux, now) } else { Fate::Lives }
    }

    /// The client's end, behind all its bytes.
    pub fn end(&mut self, mux: &mut Connection, now: Micros) -> Fate {
        self.output = Output::Ending;
        if self.connecting { Fate::Lives } else { self.advance(mux, now) }
    }

    /// The target's next bytes, when it is its turn.
    pub fn read(&mut self, buffer: &mut [u8]) -> Supply {
        let Input::Open(readiness) = &mut self.input else { return Supply::Empty };
        loop {
            match self.socket.read(buffer) {
                // A broken connection reads as ended too; the client must not take that for a proper end.
                Ok(0) if self.broken.is_some() => break,
                Ok(0) => {
                    self.input = Input::Ended;
                    return Supply::End;
                }
                Ok(count) => {
                    readiness.took(count, buffer.len());
                    return Supply::Bytes { count, more: readiness.is_ready() };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.broken.is_none() => {
                    readiness.clear();
                    return Supply::Empty;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken.get_or_insert(error);
                    break;
                }
            }
        }
        let reason = self.broken.as_ref().map_or(Reason::Failed, reason::of);
        self.input = Input::Ended;
        self.output = Output::Ended;
        Supply::Broken(reason)
    }

    /// Whether nothing can happen any more.
    pub fn is_over(&self) -> bool {
        matches!(self.input, Input::Ended) && self.output == Output::Ended
    }

    /// The client reset the stream: so do we.
    pub fn abort(self) {
        // The only failure is a socket that is dead already.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// The client vanished. Whoever had its proper end keeps it; the others get a reset.
    pub fn abandon(self) {
        if self.output != Output::Ended {
            self.abort();
        }
    }

    /// Whether the connection stands. An error is the target's or the kernel's answer.
    fn establish(&mut self, mux: &mut Connection) -> io::Result<bool> {
        match self.socket.take_error()? {
            // Only a connection that stood can be reset; a target that says no at once refuses.
            Some(error) if reason::of(&error) == Reason::Reset => self.broken = Some(error),
            Some(error) => return Err(error),
            None if self.is_undecided()? => return Ok(false),
            None => {}
        }
        self.connecting = false;
        // The user's program has done its own gathering.
        let _ = self.socket.set_nodelay(true);
        mux.accept(self.id);
        Ok(true)
    }

    fn is_undecided(&self) -> io::Result<bool> {
        let peer = match self.socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(true),
            answer => answer?,
        };
        // A free local port that is also the wanted one: TCP connects it to itself, though nobody listens there.
        if self.socket.local_addr()? == peer {
            return Err(Errno::ECONNREFUSED.into());
        }
        Ok(false)
    }

    /// From the client to the target.
    fn deliver(&mut self, mux: &mut Connection, now: Micros) {
        if self.broken.is_none() {
            match self.unsent.flush(&mut self.socket) {
                Ok(written) => mux.consumed(self.id, written, now),
                Err(error) => self.broken = Some(error),
            }
        }
        if self.broken.is_some() {
            mux.consumed(self.id, self.unsent.discard(), now);
            // The poll may stay silent: what the target left is looked for at once.
            if let Input::Open(readiness) = &mut self.input {
                readiness.expect_end();
            }
        } else if self.output == Output::Ending && self.unsent.is_empty() {
            // A target that reset meanwhile makes this fail, and says so where we read.
            let _ = self.socket.shutdown(Shutdown::Write);
            self.output = Output::Ended;
        }
    }

    fn fate(&mut self, mux: &mut Connection, now: Micros) -> Fate {
        match &self.broken {
            // Reading comes to its end and finds why.
            Some(_) if matches!(self.input, Input::Open(_)) => Fate::Lives,
            Some(error) => {
                mux.reset(self.id, reason::of(error), now);
                Fate::Ended
            }
            None if self.is_over() => Fate::Ended,
            None => Fate::Lives,
        }
    }
}
