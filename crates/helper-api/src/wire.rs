//! A message on a Unix stream socket: length (u32, big-endian), JSON, and at most one descriptor, which travels
//! with the first byte.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of one message: a plan of 100 000 routes is under 5 MB of JSON (48 bytes each).
pub const MAX_MESSAGE: usize = 5 << 20;

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
    let rights = [ControlMessage::ScmRights(&fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights[..] };
    let sent = sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&frame)], control, no_signal(), None)?;
    (&mut &*socket).write_all(&frame[sent..])
}

/// Receives one message, None at a clean end. Blocks. Descriptors beyond the first are closed and are an error.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut header = [0; 4];
    let (got, mut fds) = receive_with_descriptors(socket, &mut header)?;
    if got == 0 {
        return Ok(None);
    }
    (&mut &*socket).read_exact(&mut header[got..])?;
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_MESSAGE {
        return Err(invalid(format!("a message of {length} bytes, at most {MAX_MESSAGE} are allowed")));
    }
    let mut body = vec![0; length];
    (&mut &*socket).read_exact(&mut body)?;
    if fds.len() > 1 {
        return Err(invalid("more than one descriptor".into()));
    }
    let message = serde_json::from_slice(&body).map_err(|e| invalid(e.to_string()))?;
    Ok(Some((message, fds.pop())))
}

fn receive_with_descriptors(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; 4]);
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
