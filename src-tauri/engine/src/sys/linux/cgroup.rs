//! A cgroup below our own, so that the kernel can tell ssh's sockets from everybody else's: a rule lets sockets
//! that were made in it go direct. A socket keeps the cgroup it was made in, so a child must be inside before `exec`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long killed processes may take to leave the folder: the kernel needs milliseconds, a busy machine more.
const EMPTYING: Duration = Duration::from_secs(1);

/// Of clone3(2); libc's is a number too small to hold it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Makes folders for tunnels inside one of this process, the family's: the rules let the family pass, so that a
/// tunnel which only signs in is let pass by the rules of those that are up.
#[derive(Debug, Default)]
pub struct Cgroups {
    family: Mutex<Weak<Family>>,
    made: AtomicU32,
}

/// A folder of the cgroup2 tree that belongs to one tunnel.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    family: Arc<Family>,
}

/// Gone with the last tunnel.
#[derive(Debug)]
struct Family {
    folder: PathBuf,
    handle: OwnedFd,
}

impl Cgroups {
    /// Fails where there is no cgroup2, or where the tree is not ours to change (a session that the user's service
    /// manager did not start).
    pub fn create(&self) -> io::Result<Cgroup> {
        self.create_by(Family::create)
    }

    fn create_by(&self, make: impl FnOnce(u32) -> io::Result<Family>) -> io::Result<Cgroup> {
        let mut weak = self.family.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.made.fetch_add(1, Relaxed);
        // the guard of the last tunnel may have removed the family's folder already
        if let Some(cgroup) = weak.upgrade().and_then(|family| family.member(number).transpose()) {
            return cgroup;
        }
        let family = Arc::new(make(number)?);
        *weak = Arc::downgrade(&family);
        family.member(number)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Cgroup {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the helper makes the rule from: the whole family's folder.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.family.handle.as_fd()
    }
}

impl Family {
    /// A number makes the name new: a folder that is just being removed is never taken up again.
    fn create(number: u32) -> io::Result<Self> {
        let folder = own_folder()?.join(format!("ropeway-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        // something else may be mounted over the tree that the kernel's list of mounts still names
        open_procs(&folder).inspect_err(|_| drop(fs::remove_dir(&folder)))?;
        let handle = open_folder(&folder)?;
        Ok(Self { folder, handle })
    }

    /// None when the family's folder is gone.
    fn member(self: Arc<Self>, number: u32) -> io::Result<Option<Cgroup>> {
        let folder = self.folder.join(number.to_string());
        match fs::create_dir(&folder) {
            Ok(()) => Ok(Some(Cgroup { folder, family: self })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// For a child between `fork` and `exec`: moves the calling process into the cgroup whose `cgroup.procs` is open.
pub fn join(procs: &File) -> io::Result<()> {
    (&*procs).write_all(b"0")
}

/// Forks a child that is born in the cgroup; None in the child. To move a process there the kernel stops all forks of
/// the machine, for which it waits 10 ms and more; a birth stops nobody.
///
/// # Safety
///
/// The calling process must have one thread: in the child there is no other that could let go of a lock.
pub unsafe fn fork_into(folder: &Path) -> io::Result<Option<Pid>> {
    let folder = open_folder(folder)?;
    // SAFETY: all its fields are numbers, and zero means "nothing special" for each
    let mut how: libc::clone_args = unsafe { std::mem::zeroed() };
    how.flags = CLONE_INTO_CGROUP;
    how.exit_signal = libc::SIGCHLD as u64;
    how.cgroup = folder.as_raw_fd() as u64;
    // SAFETY: the arguments are of that size and live on; without CLONE_VM this is a fork like any other
    match unsafe { libc::syscall(libc::SYS_clone3, &raw mut how, size_of_val(&how)) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(Pid::from_raw(pid as i32))),
    }
}

/// The file that [`join`] writes to.
pub fn open_procs(folder: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(folder.join("cgroup.procs"))
}

/// Kills what is left in the folder and removes it, and the family's with the last one: an engine that was killed
/// cannot. (While there is another tunnel, the kernel refuses that.)
pub fn remove(folder: &Path) {
    remove_member(folder);
    if let Some(family) = folder.parent() {
        let _ = fs::remove_dir(family);
    }
}

fn remove_member(folder: &Path) {
    kill_all(folder);
    let deadline = Instant::now() + EMPTYING;
    while fs::remove_dir(folder).is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill_all(folder: &Path) {
    let killed = OpenOptions::new().write(true).open(folder.join("cgroup.kill"));
    if killed.and_then(|mut kill| kill.write_all(b"1")).is_ok() {
        return;
    }
    // before Linux 5.14
    for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The folder of a cgroup, to show it to the helper: its path from the top of the tree, or as it is in the file system.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let mount = mount()?;
    let inside = path.strip_prefix(&mount).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
    open_folder(&mount.join(inside))
}

fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let handle = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
    Ok(handle.into())
}

/// The folder of this process's cgroup2.
fn own_folder() -> io::Result<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or(io::ErrorKind::Unsupported)?;
    Ok(mount()?.join(path.trim_start_matches('/')))
}

/// Where the tree is.
fn mount() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts.lines().find_map(cgroup2_mount).map(PathBuf::from).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The mount point, when the line is a cgroup2 that shows the whole tree: `36 35 0:30 / /sys/fs/cgroup rw - cgroup2 …`.
fn cgroup2_mount(line: &str) -> Option<&str> {
    let (place, kind) = line.split_once(" - ")?;
    let mut fields = place.split(' ').skip(3);
    (kind.starts_with("cgroup2 ") && fields.next() == Some("/")).then(|| fields.next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plain folders behave alike in what is tested here.
    fn plain(place: &Path) -> impl Fn(u32) -> io::Result<Family> {
        move |number| {
            let folder = place.join(format!("family-{number}"));
            fs::create_dir(&folder)?;
            let handle = File::open(&folder)?.into();
            Ok(Family { folder, handle })
        }
    }

    #[test]
    fn tunnels_share_a_family_until_a_guard_has_removed_it() {
        let (place, cgroups) = (tempfile::tempdir().unwrap(), Cgroups::default());
        let make = plain(place.path());
        let (first, second) = (cgroups.create_by(&make).unwrap(), cgroups.create_by(&make).unwrap());
        assert_eq!(first.folder().parent(), second.folder().parent());
        remove(first.folder());
        assert!(!first.folder().exists() && second.folder().exists());
        remove(second.folder());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "the family goes with its last tunnel");
        assert!(cgroups.create_by(&make).unwrap().folder().is_dir(), "though the first two are still held");
    }

    #[test]
    fn finds_the_tree_in_unified_and_hybrid_layouts() {
        assert_eq!(
            cgroup2_mount("36 35 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"),
            Some("/sys/fs/cgroup")
        );
        assert_eq!(
            cgroup2_mount("40 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 none rw"),
            Some("/sys/fs/cgroup/unified")
        );
        assert_eq!(cgroup2_mount("36 35 0:30 /sub /sys/fs/cgroup rw - cgroup2 cgroup2 rw"), None);
        assert_eq!(cgroup2_mount("36 35 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids"), None);
    }
}
