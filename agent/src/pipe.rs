//! Stdin and stdout as one non-blocking pipe to the client. Knows bytes; what they mean is the mux's.

use std::io::{self, Stdin, Stdout};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{read, write};
use ropeway_mux::{Connection, Micros, Source};

use crate::fatal::{Fatal, while_doing};
use crate::readiness::Readiness;

/// Tokens of the two directions. The highest, because targets use their stream's number.
pub const STDIN: Token = Token(usize::MAX);
pub const STDOUT: Token = Token(usize::MAX - 1);

/// Bytes of one read or write: four of the largest frames, and still in the processor's cache. What waits here to be written
/// can no longer be overtaken by a keystroke, but it counts as in flight, which the mux bounds.
const BUFFER: usize = 256 << 10;

/// As large as Linux lets a user have it; where an administrator allows less, that. With its own 64 KiB the agent and sshd wait
/// for each other's turn.
#[cfg(target_os = "linux")]
const PIPE_SIZES: [i32; 3] = [1 << 20, 512 << 10, 256 << 10];

/// The client's end of everything.
pub struct Pipe {
    stdin: Stdin,
    stdout: Stdout,
    input: Readiness,
    writable: bool,
    closed: bool,
    input_buffer: Box<[u8]>,
    output_buffer: Box<[u8]>,
    /// What of it has to be written.
    pending: Range<usize>,
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
            input_buffer: vec![0; BUFFER].into_boxed_slice(),
            output_buffer: vec![0; BUFFER].into_boxed_slice(),
            pending: 0..0,
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

    /// Whether [`Self::read`] may find more without another event.
    pub fn has_more(&self) -> bool {
        self.input.is_ready()
    }

    /// At most one buffer of the client's bytes; empty when there is nothing.
    pub fn read(&mut self) -> Result<&[u8], Fatal> {
        if !self.input.is_ready() {
            return Ok(&[]);
        }
        match read(&self.stdin, &mut self.input_buffer) {
            Ok(0) | Err(Errno::ECONNRESET) => self.closed = true,
            Ok(length) => {
                self.input.took(length, self.input_buffer.len());
                return Ok(&self.input_buffer[..length]);
            }
            Err(Errno::EAGAIN) => self.input.clear(),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(while_doing("read from the client")(error)),
        }
        Ok(&[])
    }

    /// Writes one batch of the mux's frames. `false`: there is nothing to send, or no room for it now.
    pub fn send(
        &mut self,
        mux: &mut Connection,
        now: Micros,
        source: &mut impl Source,
    ) -> Result<bool, Fatal> {
        if self.closed || !self.writable {
            return Ok(false);
        }
        if self.pending.is_empty() {
            self.pending = 0..mux.transmit(&mut self.output_buffer, now, source);
        }
        if self.pending.is_empty() {
            return Ok(false);
        }
        self.write_pending()?;
        Ok(true)
    }

    fn write_pending(&mut self) -> Result<(), Fatal> {
        match write(&self.stdout, &self.output_buffer[self.pending.clone()]) {
            Ok(length) => {
                self.pending.start += length;
                // A short write has filled it (pipe(7)); the poll tells when there is room again.
                self.writable = self.pending.is_empty();
            }
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
    let _ = PIPE_SIZES.iter().any(|size| fcntl(pipe, FcntlArg::F_SETPIPE_SZ(*size)).is_ok());
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
