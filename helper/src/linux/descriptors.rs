//! Descriptors that a client hands over: believed only after the kernel has said what they are.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::{
        stat::{FileStat, Mode, SFlag, fstat},
        statfs::{CGROUP2_SUPER_MAGIC, fstatfs},
    },
};
use ropeway_helper_api::DIRECT_MARK;
use socket2::{Domain, Protocol, SockRef};

use crate::rules::Cgroup;

/// The kernel's rule compares one byte of level; nobody nests that deep.
const DEEPEST: u32 = 255;

/// A descriptor is missing or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptorError(pub String);

/// Marks a TCP or UDP socket, not connected yet, so that its connection is never captured. It must have been made by
/// the user who hands it over; root may hand over any.
pub fn mark(socket: Option<OwnedFd>, uid: u32) -> Result<(), DescriptorError> {
    let socket = socket.ok_or_else(|| refused("the socket's descriptor is missing"))?;
    let descriptor = socket.as_fd();
    let socket = SockRef::from(&socket);
    let domain = socket.domain().map_err(|e| failed("not a socket", &e))?;
    if ![Domain::IPV4, Domain::IPV6].contains(&domain) {
        return Err(refused("not an internet socket"));
    }
    let protocol = socket.protocol().map_err(|e| failed("no protocol", &e))?;
    if ![Some(Protocol::TCP), Some(Protocol::UDP)].contains(&protocol) {
        return Err(refused("neither TCP nor UDP"));
    }
    let maker = fstat(descriptor).map_err(|e| failed("fstat", &e.into()))?.st_uid;
    if uid != 0 && maker != uid {
        return Err(refused("the socket belongs to another user"));
    }
    match socket.peer_addr() {
        Err(error) if error.raw_os_error() == Some(Errno::ENOTCONN as i32) => {}
        _ => return Err(refused("already connected")),
    }
    socket.set_mark(DIRECT_MARK).map_err(|e| failed("SO_MARK", &e))
}

/// What the rule needs to know the cgroup with this folder by. It must belong to the user who hands it over: who may
/// put processes into it may exempt them. Root may name any.
pub fn cgroup(folder: &OwnedFd, uid: u32) -> Result<Cgroup, DescriptorError> {
    let stat = cgroup_folder(folder)?;
    if uid != 0 && stat.st_uid != uid {
        return Err(refused("the cgroup belongs to another user"));
    }
    match level(folder, stat.st_dev)? {
        0 => Err(refused("the root of all cgroups cannot be exempt")),
        level => Ok(Cgroup { level, id: stat.st_ino }),
    }
}

/// Depth below the place where the hierarchy is mounted, by walking up. Works wherever that is (a hybrid system has
/// it in `/sys/fs/cgroup/unified`).
fn level(folder: &OwnedFd, device: u64) -> Result<u32, DescriptorError> {
    let mut place = parent(folder)?;
    for level in 0..=DEEPEST {
        match cgroup_folder(&place) {
            Ok(stat) if stat.st_dev == device => place = parent(&place)?,
            _ => return Ok(level),
        }
    }
    Err(refused("the cgroup is too deep"))
}

fn cgroup_folder(folder: &OwnedFd) -> Result<FileStat, DescriptorError> {
    let stat = fstat(folder).map_err(|e| failed("fstat", &e.into()))?;
    let is_folder = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    let filesystem = fstatfs(folder).map_err(|e| failed("fstatfs", &e.into()))?.filesystem_type();
    if is_folder && filesystem == CGROUP2_SUPER_MAGIC {
        Ok(stat)
    } else {
        Err(refused("not a cgroup v2 folder"))
    }
}

fn parent(folder: &OwnedFd) -> Result<OwnedFd, DescriptorError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(folder.as_fd(), "..", flags, Mode::empty()).map_err(|e| failed("the folder above", &e.into()))
}

fn refused(text: &str) -> DescriptorError {
    DescriptorError(text.into())
}

fn failed(what: &str, error: &io::Error) -> DescriptorError {
    DescriptorError(format!("{what}: {error}"))
}
