//! Descriptors: how many we may have, how much a pipe holds.

use std::os::fd::AsFd;

use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::resource::{Resource, getrlimit, setrlimit},
};

/// A pipe's size in bytes: the most that an ordinary user may ask for (`fs.pipe-max-size`, 1 MiB by default).
const PIPE: i32 = 1 << 20;

/// Raises the soft limit to the hard one: each connection costs a descriptor, and desktops start with 1024.
pub fn raise_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Fewer wake-ups for bulk data. Where it is not allowed, the pipe stays as it is.
pub fn enlarge_pipe(pipe: impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE));
}
