//! One connection to a target: it is made, carries bytes both ways, and each direction ends on its own.
//!
//! Reads only what the mux has room for, and returns credit only for what the target's socket took, so a slow
//! reader at either end stops its own writer and nobody else.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry};
use nix::errno::Errno;
use ropeway_mux::{Connection, Reason, StreamId};
use socket2::SockRef;

use crate::readiness::Readiness;
use crate::reason;
use crate::targets::token_of;

/// What became of a target that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lives,
    /// Broken, and the mux still has bytes of it to send: advance it again after each transmit.
    Lingers,
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
    unsent: VecDeque<Bytes>,
    /// Why the connection is dead. What the target had sent before is still delivered, as a kernel would.
    broken: Option<io::Error>,
    /// What the mux takes when it has no byte of ours.
    whole_room: usize,
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
            unsent: VecDeque::new(),
            broken: None,
            whole_room: 0,
        })
    }

    pub fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// What the poll says; [`Self::advance`] must follow, here and after the next two.
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

    /// Bytes from the client.
    pub fn push(&mut self, data: Bytes) {
        self.unsent.push_back(data);
    }

    /// The client's end, behind all its bytes.
    pub fn end(&mut self) {
        self.output = Output::Ending;
    }

    /// Does all that is possible now, and tells the mux.
    pub fn advance(&mut self, mux: &mut Connection, buffer: &mut [u8]) -> Fate {
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
        self.deliver(mux);
        self.collect(mux, buffer);
        self.fate(mux)
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
        self.whole_room = mux.send_room(self.id);
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
    fn deliver(&mut self, mux: &mut Connection) {
        if self.broken.is_none() {
            self.broken = self.write_unsent(mux).err();
        }
        if self.broken.is_some() {
            self.discard_unsent(mux);
        }
    }

    fn write_unsent(&mut self, mux: &mut Connection) -> io::Result<()> {
        while let Some(chunk) = self.unsent.front_mut() {
            match self.socket.write(chunk) {
                Ok(length) => {
                    mux.consumed(self.id, length);
                    chunk.advance(length);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if chunk.is_empty() {
                self.unsent.pop_front();
            }
        }
        self.all_written();
        Ok(())
    }

    fn all_written(&mut self) {
        // Not `clear`: an idle connection keeps no memory.
        self.unsent = VecDeque::new();
        if self.output == Output::Ending {
            // A target that reset meanwhile makes this fail, and says so where we read.
            let _ = self.socket.shutdown(Shutdown::Write);
            self.output = Output::Ended;
        }
    }

    /// The target takes nothing more; the poll may stay silent, so look at once for what it left.
    fn discard_unsent(&mut self, mux: &mut Connection) {
        for chunk in std::mem::take(&mut self.unsent) {
            mux.consumed(self.id, chunk.len());
        }
        if let Input::Open(readiness) = &mut self.input {
            readiness.expect_end();
        }
    }

    /// From the target to the client.
    fn collect(&mut self, mux: &mut Connection, buffer: &mut [u8]) {
        while let Input::Open(readiness) = &mut self.input {
            if !readiness.is_ready() {
                return;
            }
            let room = mux.send_room(self.id).min(buffer.len());
            if room == 0 {
                return; // The mux will say when there is some.
            }
            match self.socket.read(&mut buffer[..room]) {
                // A broken connection reads as ended too; the client must not take that for a proper end.
                Ok(0) if self.broken.is_some() => readiness.clear(),
                Ok(0) => {
                    self.input = Input::Ended;
                    mux.finish(self.id);
                }
                Ok(length) => {
                    readiness.took(length, room);
                    mux.send(self.id, Bytes::copy_from_slice(&buffer[..length]));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => readiness.clear(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    readiness.clear();
                    self.broken.get_or_insert(error);
                }
            }
        }
    }

    fn fate(&mut self, mux: &mut Connection) -> Fate {
        match &self.broken {
            Some(_) if self.has_more_to_read() => Fate::Lives,
            Some(_) if self.is_queued(mux) => Fate::Lingers,
            Some(error) => {
                mux.reset(self.id, reason::of(error));
                Fate::Ended
            }
            None if self.is_done() => Fate::Ended,
            None => Fate::Lives,
        }
    }

    fn has_more_to_read(&self) -> bool {
        matches!(&self.input, Input::Open(readiness) if readiness.is_ready())
    }

    /// Whether a reset would overtake bytes that the mux has not sent yet. It gives no room after an end.
    fn is_queued(&self, mux: &mut Connection) -> bool {
        matches!(self.input, Input::Open(_)) && mux.send_room(self.id) < self.whole_room
    }

    fn is_done(&self) -> bool {
        matches!(self.input, Input::Ended) && self.output == Output::Ended
    }
}
