//! Descriptors: how many we may have, how much a pipe holds.

use std::{os::fd::AsFd, os::unix::process::CommandExt, process::Command, sync::OnceLock};

use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::resource::{Resource, getrlimit, rlim_t, setrlimit},
};

/// A pipe's size in bytes: the most that an ordinary user may ask for (`fs.pipe-max-size`, 1 MiB by default), or less.
const PIPES: [i32; 3] = [1 << 20, 512 << 10, 256 << 10];

/// The soft limit that we were started with.
static BEFORE: OnceLock<rlim_t> = OnceLock::new();

/// Raises the soft limit to the hard one, and says which that is: each connection costs a descriptor, and desktops
/// start with 1024.
pub fn raise_limit() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    BEFORE.get_or_init(|| soft);
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    limit()
}

/// How many files we may have open.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

/// Gives a child the soft limit that we were started with: programs that use `select` break above 1024, and some close
/// every descriptor that there could be, one by one.
pub fn as_before(command: &mut Command) {
    let Some(&before) = BEFORE.get() else { return };
    let restore = move || {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        Ok(setrlimit(Resource::RLIMIT_NOFILE, before.min(hard), hard)?)
    };
    // SAFETY: between fork and exec this only makes two system calls
    unsafe { command.pre_exec(restore) };
}

/// Fewer wake-ups for bulk data. Where so much is not allowed, or the user's pipes have too much already, it is less.
pub fn enlarge_pipe(pipe: impl AsFd) {
    let _ = PIPES.iter().any(|size| fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(*size)).is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_have_the_limit_that_we_had() {
        raise_limit();
        let before = BEFORE.get().unwrap().to_string();
        let mut child = Command::new("/bin/sh");
        child.args(["-c", "ulimit -Sn; ulimit -Hn"]);
        as_before(&mut child);
        let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let number = |word: &str| if word == "unlimited" { rlim_t::MAX } else { word.parse().unwrap() };
        let limits: Vec<rlim_t> = said.lines().map(number).collect();
        assert_eq!(limits, [number(&before), hard]);
        assert_eq!(limit(), Some(hard), "ours is raised");
    }
}
