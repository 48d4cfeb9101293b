//! Descriptors that nobody asked for. A test program of its own, because it counts those of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    socket::{ControlMessage, MsgFlags, sendmsg},
};
use ropeway_helper_api::{Request, wire};

/// The most that Linux lets one message carry (`SCM_MAX_FD`).
const MOST: usize = 253;

/// One test, so that nothing else opens or closes anything meanwhile.
#[test]
fn no_message_leaves_a_descriptor_behind() {
    let before = open_descriptors();
    for cut in [1, 4, frame().len()] {
        for _ in 0..20 {
            refuses_at_once(cut);
        }
    }
    assert_eq!(open_descriptors(), before, "with room for all of them");
    for room in 0..8 {
        when_the_table_is_nearly_full(room);
    }
    assert_eq!(open_descriptors(), before, "with room for some of them");
}

/// Half a message would be waited for, and what came with it held so long.
fn refuses_at_once(cut: usize) {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    send_with_descriptors(&near, &frame()[..cut]);
    let error = wire::receive::<Request>(&far).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "cut at {cut}: {error}");
}

/// The kernel installs what fits into the table, and says that there was more.
fn when_the_table_is_nearly_full(room: u64) {
    let (near, far) = UnixStream::pair().unwrap();
    send_with_descriptors(&near, &frame());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let next = File::open("/dev/null").unwrap().as_raw_fd() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, next + room, hard).unwrap();
    let received = wire::receive::<Request>(&far);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(received.unwrap_err().kind(), io::ErrorKind::InvalidData, "room for {room}");
}

fn frame() -> Vec<u8> {
    let body = br#"{"type":"mark-socket"}"#;
    [&(body.len() as u32).to_be_bytes(), &body[..]].concat()
}

fn send_with_descriptors(socket: &UnixStream, bytes: &[u8]) {
    let fds = [socket.as_raw_fd(); MOST];
    let rights: [ControlMessage; 1] = [ControlMessage::ScmRights(&fds as &[RawFd])];
    let flags = MsgFlags::empty();
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &rights, flags, None).unwrap();
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
