//! One read from the socket, with the control messages that came along. The only unsafe code of this crate: nix cannot
//! name the descriptors of a list that was cut short, so nobody could close them.

use std::{
    io, mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    ptr, slice,
};

use super::{DESCRIPTORS, invalid};

/// Descriptors that there is room for. On Linux one more than we take, to tell too many from enough: the kernel closes
/// what does not fit. Elsewhere that would stay open in this process, so there is room for all that a message can
/// carry (2 KiB of them, `MCLBYTES`).
const ROOM: usize = if cfg!(target_os = "linux") { DESCRIPTORS + 1 } else { 512 };

/// What one read gave.
pub(super) struct Read {
    pub bytes: usize,
    /// At most [`DESCRIPTORS`].
    pub fds: Vec<OwnedFd>,
    /// The user who sent them, where the kernel was asked to tell.
    pub uid: Option<u32>,
}

/// Blocks. More descriptors than a message may have are closed and an error.
pub(super) fn read(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<Read> {
    let mut control = vec![0_u64; control_size().div_ceil(8)]; // aligned for any header
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr of zeros is one without address, buffers and control messages
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = control_size() as _;
    let bytes = loop {
        // SAFETY: the header names `iov`, which is `buffer`, and `control`, each with its own size
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, FLAGS) };
        match usize::try_from(got) {
            Ok(bytes) => break bytes,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    };
    // SAFETY: recvmsg has just filled the header, and `control` is where it was
    let (fds, uid) = unsafe { control_messages(&header) };
    if fds.len() > DESCRIPTORS || header.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(invalid(format!("more than {DESCRIPTORS} descriptors, or no room for them")));
    }
    Ok(Read { bytes, fds, uid })
}

/// Takes what came along, all of it, also when the kernel has cut it short.
///
/// # Safety
///
/// The header is one that `recvmsg` has filled, its control buffer is aligned and still there, and it is given only
/// once: the descriptors get an owner.
unsafe fn control_messages(header: &libc::msghdr) -> (Vec<OwnedFd>, Option<u32>) {
    let (mut fds, mut uid) = (vec![], None);
    // SAFETY: as promised; the kernel writes whole headers, and the macros stay within `msg_controllen`
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while let Some(message) = ptr::NonNull::new(next) {
        // SAFETY: not null, so it is a header within the buffer, and its data lies behind it
        let (kind, data) = unsafe {
            let kind = message.as_ref();
            (kind, slice::from_raw_parts(libc::CMSG_DATA(next), data_size(kind)))
        };
        if (kind.cmsg_level, kind.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            let numbers = data.as_chunks().0.iter().map(|bytes| RawFd::from_ne_bytes(*bytes));
            // SAFETY: the kernel has just made these descriptors for us; nobody else knows them
            fds.extend(numbers.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        uid = uid.or(sender(kind, data));
        // SAFETY: `next` is a header of this buffer
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    (fds, uid)
}

/// Bytes behind a header.
#[allow(clippy::unnecessary_cast)] // elsewhere `cmsg_len` is another type
fn data_size(message: &libc::cmsghdr) -> usize {
    // SAFETY: only computes
    let header = unsafe { libc::CMSG_LEN(0) } as usize;
    (message.cmsg_len as usize).saturating_sub(header)
}

#[cfg(target_os = "linux")]
fn sender(message: &libc::cmsghdr, data: &[u8]) -> Option<u32> {
    let credentials = (message.cmsg_level, message.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
    let uid = data.get(mem::offset_of!(libc::ucred, uid)..)?.first_chunk()?;
    credentials.then(|| u32::from_ne_bytes(*uid))
}

#[cfg(not(target_os = "linux"))]
fn sender(_: &libc::cmsghdr, _: &[u8]) -> Option<u32> {
    None
}

fn control_size() -> usize {
    let fds = ROOM * size_of::<RawFd>();
    // SAFETY: only computes
    let space = |size: usize| unsafe { libc::CMSG_SPACE(size as libc::c_uint) } as usize;
    space(fds) + space(CREDENTIALS)
}

#[cfg(target_os = "linux")]
const CREDENTIALS: usize = size_of::<libc::ucred>();

/// Nobody is asked for any.
#[cfg(not(target_os = "linux"))]
const CREDENTIALS: usize = 0;

#[cfg(target_os = "linux")]
const FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;

#[cfg(not(target_os = "linux"))]
const FLAGS: libc::c_int = 0;
