//! The TUN device itself: what is sent to it can be read from a descriptor, which the client gets.

use std::{
    fs::OpenOptions,
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

/// Stands for the first number that is free.
const NUMBER: &str = "%d";

/// IP packets and nothing before them (`if_tun.h`).
const FLAGS: libc::c_short = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;

/// `struct ifreq`, of which this call reads name and flags, and writes the name.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// The descriptor, which never blocks, and the device's name.
pub fn make(begins: &str) -> io::Result<(OwnedFd, String)> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/net/tun")?;
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: FLAGS, rest: [0; 22] };
    // one byte is left for the zero at the end
    let name = begins.bytes().chain(NUMBER.bytes());
    request.name[..libc::IFNAMSIZ - 1].iter_mut().zip(name).for_each(|(to, from)| *to = from);
    // SAFETY: the request has the kernel's layout and length, and lives through the call
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let name = request.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((file.into(), String::from_utf8_lossy(name).into()))
}
