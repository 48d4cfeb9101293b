//! One descriptor per connection: ask for as many as the server's administrator allows.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Raises the soft limit to the hard one. A refusal is no error: connections that find no descriptor are refused.
pub fn allow_many_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < highest_soft(hard)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, highest_soft(hard), hard);
    }
}

#[cfg(not(target_os = "macos"))]
fn highest_soft(hard: rlim_t) -> rlim_t {
    hard
}

/// macOS refuses more than its `OPEN_MAX`, whatever the hard limit says (setrlimit(2)).
#[cfg(target_os = "macos")]
fn highest_soft(hard: rlim_t) -> rlim_t {
    hard.min(10_240)
}
