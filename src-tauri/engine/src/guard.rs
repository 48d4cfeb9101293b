//! A small process between the engine and ssh. Its stdin is a pipe whose other end only the engine holds: when
//! the engine ends, however it dies, the pipe does too, and the guard ends ssh and everything that ssh has started.
//!
//! The guard is our own program started again, so that there is nothing to install. The engine's side of it is
//! [`Guard`].

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio, exit},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{SigHandler, Signal, kill, signal},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::sys::{apps, cgroup, descriptors};

/// The first argument of a program of ours that is to be a guard and nothing else.
const ARGUMENT: &str = "__guard";

/// How long ssh may take to say goodbye to its server before it is killed.
const GOODBYE: Duration = Duration::from_millis(500);

/// Every program that holds an engine calls this first in `main`: when it was started as a guard, it is one and
/// never returns.
pub fn run_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() == Some(OsStr::new(ARGUMENT)) {
        let folder = args.next().filter(|folder| !folder.is_empty()).map(PathBuf::from);
        exit(watch(folder.as_deref(), &args.collect::<Vec<_>>()));
    }
}

/// The command of a guard for `program` (nothing: it only clears the cgroup away), inside `cgroup`.
pub fn command(cgroup: Option<&Path>, program: &[OsString]) -> io::Result<Command> {
    let mut command = ourselves()?;
    descriptors::as_before(&mut command);
    command.arg(ARGUMENT).arg(cgroup.unwrap_or(Path::new(""))).args(program).process_group(0);
    Ok(command)
}

/// Puts a child into the cgroup before it can make a socket.
pub fn enter(command: &mut Command, cgroup: &Path) -> io::Result<()> {
    let procs = cgroup::open_procs(cgroup)?;
    // SAFETY: between fork and exec this only writes one byte to an open file
    unsafe { command.pre_exec(move || cgroup::join(&procs)) };
    Ok(())
}

fn watch(cgroup: Option<&Path>, program: &[OsString]) -> i32 {
    take_name();
    stay(SigHandler::SigIgn);
    adopt_orphans();
    let Some((name, args)) = program.split_first() else {
        wait_for_the_engine();
        clear(cgroup);
        return 0;
    };
    match start(cgroup, name, args) {
        Ok(pid) => accompany(pid, cgroup),
        Err(error) => {
            clear(cgroup);
            not_started(name, &error)
        }
    }
}

fn not_started(name: &OsStr, error: &io::Error) -> i32 {
    eprintln!("{}: {error}", name.to_string_lossy());
    127
}

/// In the cgroup, if there is one. To be called while the guard has one thread.
fn start(cgroup: Option<&Path>, name: &OsStr, args: &[OsString]) -> io::Result<Pid> {
    let Some(folder) = cgroup else { return spawn(program(name, args)) };
    // SAFETY: there is no other thread yet
    match unsafe { cgroup::fork_into(folder) } {
        Ok(Some(pid)) => Ok(pid),
        Ok(None) => exit(not_started(name, &program(name, args).exec())),
        // a kernel before 5.7, or one that we may not ask
        Err(_) => {
            let mut command = program(name, args);
            enter(&mut command, folder)?;
            spawn(command)
        }
    }
}

fn spawn(mut command: Command) -> io::Result<Pid> {
    command.spawn().map(|child| Pid::from_raw(child.id() as i32))
}

fn program(name: &OsStr, args: &[OsString]) -> Command {
    let mut command = Command::new(name);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    die_with_parent(&mut command);
    // SAFETY: between fork and exec this only makes system calls that are safe there
    unsafe {
        command.pre_exec(|| {
            stay(SigHandler::SigDfl);
            Ok(())
        });
    }
    command
}

/// A guard that is asked to go would leave ssh behind: it goes when the engine does.
fn stay(handler: SigHandler) {
    for polite in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: the handler is one of the kernel's own, no function of ours
        let _ = unsafe { signal(polite, handler) };
    }
}

/// Until the program or the engine ends, whichever is first.
fn accompany(pid: Pid, cgroup: Option<&Path>) -> i32 {
    let folder = cgroup.map(Path::to_owned);
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = ended.clone();
    thread::spawn(move || {
        wait_for_the_engine();
        // once it was waited for, its number may be somebody else's
        let send = |signal| (!has_ended.load(SeqCst)).then(|| kill(pid, signal));
        send(Signal::SIGTERM);
        thread::sleep(GOODBYE);
        send(Signal::SIGKILL);
        // `accompany` ends the process as soon as the program is gone; this is for one that cannot even be killed
        thread::sleep(GOODBYE);
        clear(folder.as_deref());
        exit(1);
    });
    let code = end_of(pid);
    ended.store(true, SeqCst);
    clear(cgroup);
    code
}

/// As a shell would say it.
fn end_of(pid: Pid) -> i32 {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

fn wait_for_the_engine() {
    let _ = io::stdin().lock().read_to_end(&mut Vec::new());
}

/// Transports that a `ProxyCommand` left behind: in the cgroup, or our children by adoption.
fn clear(cgroup: Option<&Path>) {
    if let Some(folder) = cgroup {
        return cgroup::remove(folder);
    }
    let deadline = Instant::now() + GOODBYE;
    while kill_children() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there were any.
fn kill_children() -> bool {
    let children = apps::children(std::process::id());
    for pid in children.iter().map(|pid| Pid::from_raw(*pid as i32)) {
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
    }
    !children.is_empty()
}

/// The program that runs, even when an upgrade has put another in its place: its name would lead to nothing.
#[cfg(target_os = "linux")]
fn ourselves() -> io::Result<Command> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(std::env::current_exe()?);
    Ok(command)
}

/// In lists of processes it would be "exe".
#[cfg(target_os = "linux")]
fn take_name() {
    let _ = nix::sys::prctl::set_name(c"ropeway-guard");
}

#[cfg(target_os = "linux")]
fn adopt_orphans() {
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    // SAFETY: one system call between fork and exec
    unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)) };
}

#[cfg(not(target_os = "linux"))]
fn ourselves() -> io::Result<Command> {
    std::env::current_exe().map(Command::new)
}

#[cfg(not(target_os = "linux"))]
fn take_name() {}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
