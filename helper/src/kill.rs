//! Places where a test kills the helper: before and after every system call that changes the machine. Without the
//! feature `kill-points`, which no package is built with, nothing of this is in the program.

/// Does `work`; the two instants around it are kill points. `name` says what the system call does.
pub fn around<T>(name: &str, work: impl FnOnce() -> T) -> T {
    point(name, "before");
    let result = work();
    point(name, "after");
    result
}

#[cfg(not(feature = "kill-points"))]
fn point(_: &str, _: &str) {}

/// Counts itself; the one whose number is in `ROPEWAY_KILL_AT` is the last. `never` there makes each say its name.
#[cfg(feature = "kill-points")]
fn point(name: &str, side: &str) {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use nix::{
        sys::signal::{Signal, kill},
        unistd::getpid,
    };

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let number = PASSED.fetch_add(1, Relaxed) + 1;
    let chosen = std::env::var("ROPEWAY_KILL_AT").unwrap_or_default();
    if chosen == "never" {
        eprintln!("point {number}: {side} {name}");
    }
    if chosen.parse() == Ok(number) {
        let _ = kill(getpid(), Signal::SIGKILL);
    }
}
