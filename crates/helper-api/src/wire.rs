//! A message on a Unix stream socket: length (u32, big-endian), JSON, and at most one descriptor, which travels
//! with the first byte.
//!
//! [`send`] and [`receive`] block. Descriptors are never leaked: whatever comes that nobody asked for is closed.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of one message: the largest plan that is allowed (100 000 routes of IPv6 with ports, 90 bytes each) and
/// what stands around it. A test builds that plan.
pub const MAX_MESSAGE: usize = 10 << 20;

/// The most descriptors that Linux lets one message carry (`SCM_MAX_FD`). Room for fewer would make the kernel cut
/// the list, and nix does not name the ones of a cut list, so nobody could close them.
const MAX_DESCRIPTORS: usize = 253;

/// A message, and the descriptor that came with it.
pub type Received<T> = (T, Option<OwnedFd>);

/// Sends one message, and `fd` with it. Blocks.
pub fn send<T: Serialize>(socket: &UnixStream, message: &T, fd: Option<BorrowedFd>) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {length} bytes")));
    }
    frame[..4].copy_from_slice(&(length as u32).to_be_bytes());
    let fds: Vec<RawFd> = fd.iter().map(AsRawFd::as_raw_fd).collect();
    let sent = send_with_descriptors(socket, &frame, &fds)?;
    (&mut &*socket).write_all(&frame[sent..])
}

/// Receives one message, None at a clean end. Blocks. More than one descriptor is an error.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<Received<T>>> {
    receive_frame(socket, None)?.map(parse).transpose()
}

/// Like [`receive`], but a message that has begun must be complete within `limit` (else `TimedOut`). Uses the read
/// timeout of the socket.
pub fn receive_within<T: DeserializeOwned>(
    socket: &UnixStream,
    limit: Duration,
) -> io::Result<Option<Received<T>>> {
    receive_frame(socket, Some(limit))?.map(parse).transpose()
}

/// Bytes and descriptors of one message, not yet believed.
struct Frame {
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

fn parse<T: DeserializeOwned>(mut frame: Frame) -> io::Result<Received<T>> {
    if frame.fds.len() > 1 {
        return Err(invalid("more than one descriptor".into()));
    }
    let message = serde_json::from_slice(&frame.body).map_err(|e| invalid(e.to_string()))?;
    Ok((message, frame.fds.pop()))
}

fn receive_frame(socket: &UnixStream, limit: Option<Duration>) -> io::Result<Option<Frame>> {
    let mut header = [0; 4];
    let (got, fds) = receive_with_descriptors(socket, &mut header)?;
    if got == 0 {
        return Ok(None);
    }
    let rest = Rest { socket, deadline: limit.map(|limit| Instant::now() + limit) };
    rest.read(&mut header[got..])?;
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_MESSAGE {
        return Err(invalid(format!("a message of {length} bytes, at most {MAX_MESSAGE} are allowed")));
    }
    let mut body = vec![0; length];
    rest.read(&mut body)?;
    Ok(Some(Frame { body, fds }))
}

/// What is still to come of a message that has begun.
struct Rest<'a> {
    socket: &'a UnixStream,
    deadline: Option<Instant>,
}

impl Rest<'_> {
    fn read(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            self.limit_next_read()?;
            match (&mut &*self.socket).read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => buffer = &mut buffer[n..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                Err(e) => return Err(e),
            }
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

fn receive_with_descriptors(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut iov = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut control), close_on_exec()) {
            Err(nix::errno::Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut fds = vec![];
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = item {
            // SAFETY: the kernel has just made these descriptors for us; nobody else knows them
            fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, fds))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(target_os = "linux")]
fn close_on_exec() -> MsgFlags {
    MsgFlags::MSG_CMSG_CLOEXEC
}

#[cfg(not(target_os = "linux"))]
fn close_on_exec() -> MsgFlags {
    MsgFlags::empty()
}

#[cfg(target_os = "linux")]
fn no_signal() -> MsgFlags {
    MsgFlags::MSG_NOSIGNAL
}

#[cfg(not(target_os = "linux"))]
fn no_signal() -> MsgFlags {
    MsgFlags::empty()
}
