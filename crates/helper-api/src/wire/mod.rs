//! A message on a Unix stream socket: length (u32, big-endian), JSON, and at most [`DESCRIPTORS`] descriptors, which
//! travel with the first byte.
//!
//! [`send`] and [`receive`] block. Descriptors are never leaked: whatever comes that nobody asked for is closed
//! (`control`).

mod control;

use std::{
    io::{self, IoSlice, Write},
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Serialize;

/// Bytes of one message: the largest plan that is allowed (100 000 routes of IPv6 with ports, 90 bytes each) and
/// what stands around it. A test builds that plan.
pub const MAX_MESSAGE: usize = 10 << 20;

/// Descriptors of one message: a plan's two cgroups.
pub const DESCRIPTORS: usize = 2;

/// Bytes that are read at once. Memory is taken as bytes come, not as they are promised.
const CHUNK: usize = 256 << 10;

/// What can be received.
pub trait Json: Sized {
    /// Takes at most a few times the memory of the text, whatever stands in it.
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self>;
}

/// A message, and the descriptors that came with it, in the order in which they were sent.
#[derive(Debug)]
pub struct Received<T> {
    pub message: T,
    pub fds: Vec<OwnedFd>,
}

/// Sends one message, and descriptors with it. Blocks.
pub fn send<T: Serialize>(socket: &UnixStream, message: &T, fds: &[BorrowedFd]) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {length} bytes")));
    }
    frame[..4].copy_from_slice(&(length as u32).to_be_bytes());
    let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let sent = send_with_descriptors(socket, &frame, &fds)?;
    (&mut &*socket).write_all(&frame[sent..])
}

/// Receives one message, None at a clean end. Blocks. More than [`DESCRIPTORS`] descriptors are an error.
pub fn receive<T: Json>(socket: &UnixStream) -> io::Result<Option<Received<T>>> {
    receive_frame(socket, None, None, MAX_MESSAGE)?.map(parse).transpose()
}

/// Like [`receive`], but a message that has begun must be complete within `limit` (else `TimedOut`; uses the read
/// timeout of the socket), and after [`tell_senders`] every byte of it must have been sent by a process of user
/// `sender` or by root (else `PermissionDenied`). `largest` is for those of whom less is expected than [`MAX_MESSAGE`].
pub fn receive_from<T: Json>(
    socket: &UnixStream,
    sender: u32,
    limit: Duration,
    largest: usize,
) -> io::Result<Option<Received<T>>> {
    receive_frame(socket, Some(sender), Some(limit), largest.min(MAX_MESSAGE))?.map(parse).transpose()
}

/// From now on the kernel says of all that arrives here who sent it: the other end may have been handed to, or taken
/// by, a process of another user. Linux only; elsewhere `Unsupported`.
#[cfg(target_os = "linux")]
pub fn tell_senders(socket: &UnixStream) -> io::Result<()> {
    Ok(nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::PassCred, &true)?)
}

/// From now on the kernel says of all that arrives here who sent it. Linux only; elsewhere `Unsupported`.
#[cfg(not(target_os = "linux"))]
pub fn tell_senders(_: &UnixStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes and descriptors of one message, not yet believed.
struct Frame {
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

fn parse<T: Json>(frame: Frame) -> io::Result<Received<T>> {
    let message = T::from_json(&frame.body).map_err(|e| invalid(e.to_string()))?;
    Ok(Received { message, fds: frame.fds })
}

fn receive_frame(
    socket: &UnixStream,
    sender: Option<u32>,
    limit: Option<Duration>,
    largest: usize,
) -> io::Result<Option<Frame>> {
    let mut header = [0; 4];
    let first = control::read(socket, &mut header)?;
    if first.bytes == 0 {
        return Ok(None);
    }
    first.check(sender)?;
    let rest = Rest { socket, sender, deadline: limit.map(|limit| Instant::now() + limit) };
    rest.read(&mut header[first.bytes..])?;
    let length = u32::from_be_bytes(header) as usize;
    if length > largest {
        return Err(invalid(format!("a message of {length} bytes, at most {largest} are allowed")));
    }
    let mut body = vec![];
    while body.len() < length {
        let start = body.len();
        body.resize(length.min(start + CHUNK), 0);
        rest.read(&mut body[start..])?;
    }
    Ok(Some(Frame { body, fds: first.fds }))
}

/// What is still to come of a message that has begun.
struct Rest<'a> {
    socket: &'a UnixStream,
    sender: Option<u32>,
    deadline: Option<Instant>,
}

impl Rest<'_> {
    fn read(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            self.limit_next_read()?;
            let some = control::read(self.socket, buffer).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
                _ => error,
            })?;
            if some.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            some.check(self.sender)?;
            if !some.fds.is_empty() {
                return Err(invalid("descriptors in the middle of a message".into()));
            }
            buffer = &mut buffer[some.bytes..];
        }
        Ok(())
    }

    fn limit_next_read(&self) -> io::Result<()> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.set_read_timeout(Some(left))
    }
}

impl Drop for Rest<'_> {
    /// The wait for the next message has no limit.
    fn drop(&mut self) {
        if self.deadline.is_some() {
            let _ = self.socket.set_read_timeout(None);
        }
    }
}

fn send_with_descriptors(socket: &UnixStream, bytes: &[u8], fds: &[RawFd]) -> io::Result<usize> {
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights[..] };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, no_signal(), None) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

impl control::Read {
    fn check(&self, sender: Option<u32>) -> io::Result<()> {
        match (sender, self.uid) {
            (Some(expected), Some(uid)) if uid != expected && uid != 0 => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("sent by user {uid}")))
            }
            _ => Ok(()),
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(target_os = "linux")]
fn no_signal() -> MsgFlags {
    MsgFlags::MSG_NOSIGNAL
}

#[cfg(not(target_os = "linux"))]
fn no_signal() -> MsgFlags {
    MsgFlags::empty()
}
