//! Notices that the program was replaced on the disk, as an update does: by a rename over it.

use std::{env, fs, io, os::unix::fs::MetadataExt, path::Path, thread};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Does it once, on a thread of its own, when another file is in the place from which this process was started. A
/// program that was only removed goes on: there is none to make way for.
pub fn watch(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let program = env::current_exe()?;
    let folder = program.parent().ok_or(io::ErrorKind::NotFound)?;
    let events = Inotify::init(InitFlags::IN_CLOEXEC)?;
    events.add_watch(folder, AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE)?;
    let running = identity(Path::new("/proc/self/exe"))?;
    let wait = move || match wait(&events, &program, running) {
        Ok(()) => act(),
        Err(error) => tracing::error!(%error, "an update of this program would not be noticed"),
    };
    thread::Builder::new().name("update".into()).spawn(wait).map(drop)
}

/// Looks first: it may have happened before the watch began.
fn wait(events: &Inotify, program: &Path, running: (u64, u64)) -> io::Result<()> {
    while !identity(program).is_ok_and(|found| found != running) {
        events.read_events()?;
    }
    Ok(())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}
