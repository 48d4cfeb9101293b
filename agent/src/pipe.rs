//! Stdin and stdout as one non-blocking pipe to the client. Knows bytes; what they mean is the mux's.

use std::io::{self, Stdin, Stdout};
use std::os::fd::{AsFd, AsRawFd};

use bytes::{Buf, BytesMut};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{read, write};
use ropeway_mux::{Connection, Micros};

use crate::fatal::{Fatal, while_doing};
use crate::readiness::Readiness;

/// Tokens of the two directions. The highest, because targets use their stream's number.
pub const STDIN: Token = Token(usize::MAX);
pub const STDOUT: Token = Token(usize::MAX - 1);

/// Linux's own size of a pipe, and twice what sshd reads or writes at once.
const BUFFER: usize = 64 << 10;

/// What one `write` may hold: frames of one turn travel together, but what stands in here can no longer be
/// overtaken by a keystroke, so it is no more than a pipe's own size.
const BATCH: usize = 64 << 10;

/// Four times Linux's default: with 64 KiB the agent and sshd wait for each other's turn.
#[cfg(target_os = "linux")]
const PIPE_SIZE: i32 = 256 << 10;

/// The client's end of everything.
pub struct Pipe {
    stdin: Stdin,
    stdout: Stdout,
    input: Readiness,
    writable: bool,
    closed: bool,
    buffer: Box<[u8]>,
    batch: BytesMut,
    _blocking: RestoreFlags,
}

impl Pipe {
    pub fn new(registry: &Registry) -> Result<Self, Fatal> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        check_kind(&stdin, "stdin")?;
        check_kind(&stdout, "stdout")?;
        let blocking = RestoreFlags::make_nonblocking().map_err(while_doing("set up stdin and stdout"))?;
        register(registry, &stdin, STDIN, Interest::READABLE)?;
        register(registry, &stdout, STDOUT, Interest::WRITABLE)?;
        Ok(Self {
            stdin,
            stdout,
            input: Readiness::default(),
            writable: true,
            closed: false,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            batch: BytesMut::with_capacity(BATCH),
            _blocking: blocking,
        })
    }

    /// What the poll says about one of the two tokens.
    pub fn note(&mut self, event: &Event) {
        match event.token() {
            STDIN => self.input.note(event),
            _ => self.writable = true,
        }
    }

    /// Whether the client is gone, whichever direction showed it.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether [`Self::receive`] may find more without another event.
    pub fn has_more(&self) -> bool {
        self.input.is_ready()
    }

    /// Hands at most one buffer from the client to the mux.
    pub fn receive(&mut self, mux: &mut Connection, now: Micros) -> Result<(), Fatal> {
        if !self.input.is_ready() {
            return Ok(());
        }
        match read(&self.stdin, &mut self.buffer) {
            Ok(0) | Err(Errno::ECONNRESET) => self.closed = true,
            Ok(length) => {
                self.input.took(length, self.buffer.len());
                mux.receive(&self.buffer[..length], now)?;
            }
            Err(Errno::EAGAIN) => self.input.clear(),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(while_doing("read from the client")(error)),
        }
        Ok(())
    }

    /// Writes one batch of the mux's frames. `false`: there is nothing to send, or no room for it now.
    pub fn send(&mut self, mux: &mut Connection, now: Micros) -> Result<bool, Fatal> {
        if self.closed || !self.writable {
            return Ok(false);
        }
        if self.batch.is_empty() {
            mux.transmit(&mut self.batch, BATCH, now);
        }
        if self.batch.is_empty() {
            return Ok(false);
        }
        self.write_batch()?;
        Ok(true)
    }

    fn write_batch(&mut self) -> Result<(), Fatal> {
        match write(&self.stdout, &self.batch) {
            Ok(length) => self.batch.advance(length),
            Err(Errno::EAGAIN) => self.writable = false,
            Err(Errno::EINTR) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET) => self.closed = true,
            Err(error) => return Err(while_doing("write to the client")(error)),
        }
        Ok(())
    }
}

/// A file cannot be polled, and a terminal or `/dev/null` is never a client.
fn check_kind(fd: &impl AsFd, name: &'static str) -> Result<(), Fatal> {
    let mode = fstat(fd).map_err(while_doing("look at stdin and stdout"))?.st_mode;
    match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
        SFlag::S_IFIFO => {
            enlarge(fd);
            Ok(())
        }
        SFlag::S_IFSOCK => Ok(()),
        _ => Err(Fatal::NotAPipe(name)),
    }
}

/// A favour to the throughput: the kernel may refuse it.
#[cfg(target_os = "linux")]
fn enlarge(pipe: &impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
}
#[cfg(not(target_os = "linux"))]
fn enlarge(_pipe: &impl AsFd) {}

fn register(registry: &Registry, fd: &impl AsRawFd, token: Token, interest: Interest) -> Result<(), Fatal> {
    registry
        .register(&mut SourceFd(&fd.as_raw_fd()), token, interest)
        .map_err(while_doing("watch stdin and stdout"))
}

/// Puts the flags of stdin and stdout back when dropped: they belong to the open file, which a login shell that
/// waits for us shares. Both are read before either is set, because sshd may give one socket for both.
struct RestoreFlags {
    stdin: OFlag,
    stdout: OFlag,
}

impl RestoreFlags {
    fn make_nonblocking() -> nix::Result<Self> {
        let before = Self { stdin: flags_of(io::stdin())?, stdout: flags_of(io::stdout())? };
        set_flags(io::stdin(), before.stdin | OFlag::O_NONBLOCK)?;
        set_flags(io::stdout(), before.stdout | OFlag::O_NONBLOCK)?;
        Ok(before)
    }
}

impl Drop for RestoreFlags {
    fn drop(&mut self) {
        let _ = set_flags(io::stdin(), self.stdin);
        let _ = set_flags(io::stdout(), self.stdout);
    }
}

fn flags_of(fd: impl AsFd) -> nix::Result<OFlag> {
    fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain)
}

fn set_flags(fd: impl AsFd, flags: OFlag) -> nix::Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(flags)).map(|_| ())
}
