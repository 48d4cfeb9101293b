//! How a process gets into a host: its network, and a view of the file system in which accounts, names, `/run` and
//! the helper's own folder are the host's. The view is made anew for each process and ends with it, so there is
//! nothing to clear away. `ip netns exec` is not used: it mounts `/sys` again, and then the cgroup tree is gone.

use std::{
    ffi::{CStr, CString},
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::AsFd, unix::ffi::OsStrExt, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::{Gid, Uid, setfsgid, setfsuid, setgid, setgroups, setuid},
};

use crate::accounts::Account;

/// What a process finds when it comes in, and who it is then.
#[derive(Debug)]
pub struct Entrance {
    /// The file that names the network.
    pub namespace: PathBuf,
    /// Files and folders of the host, each with the place where programs look for it.
    pub binds: Vec<(PathBuf, PathBuf)>,
    /// Mounts of this machine that the host does not have.
    pub hidden: Vec<PathBuf>,
    pub account: Account,
    /// The process is in it from its first instant, and with it all that it starts.
    pub cgroup: Option<PathBuf>,
}

impl Entrance {
    /// Makes `command` start inside.
    pub fn take(&self, command: &mut Command) -> io::Result<()> {
        let namespace = File::open(&self.namespace)?;
        let view = View::new(self)?;
        let procs = self.cgroup.as_ref().map(|folder| open_procs(folder)).transpose()?;
        let account = self.account;
        // SAFETY: between fork and exec this makes system calls with arguments that were prepared before
        unsafe {
            command.pre_exec(move || {
                if let Some(mut procs) = procs.as_ref() {
                    procs.write_all(b"0")?;
                }
                setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
                view.show()?;
                become_user(account)
            });
        }
        Ok(())
    }

    /// Runs `work` in a thread whose sockets and files, and those of the threads it starts, are of this network and
    /// this account. Of the view and the cgroup it knows nothing: those are a process's.
    pub fn take_in_thread<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let namespace = File::open(&self.namespace)?;
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
                // the kernel's rules look at this one when they ask whose a socket is
                setfsgid(Gid::from_raw(self.account.id()));
                setfsuid(Uid::from_raw(self.account.id()));
                Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// The mounts, in the form that system calls take.
struct View {
    binds: Vec<(CString, CString)>,
    hidden: Vec<CString>,
}

impl View {
    fn new(entrance: &Entrance) -> io::Result<Self> {
        let pair = |(source, target): &(PathBuf, PathBuf)| Ok((c_path(source)?, c_path(target)?));
        Ok(Self {
            binds: entrance.binds.iter().map(pair).collect::<io::Result<_>>()?,
            hidden: entrance.hidden.iter().map(|path| c_path(path)).collect::<io::Result<_>>()?,
        })
    }

    fn show(&self) -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&CStr>)?;
        // our copy of this folder's mounts would keep other labs' namespaces alive
        let _ = umount2(c"/run/netns", MntFlags::MNT_DETACH);
        for place in &self.hidden {
            umount2(place.as_c_str(), MntFlags::MNT_DETACH)?;
        }
        for (source, target) in &self.binds {
            let (source, target) = (source.as_c_str(), target.as_c_str());
            mount(Some(source), target, None::<&CStr>, MsFlags::MS_BIND, None::<&CStr>)?;
        }
        Ok(())
    }
}

/// Without a way back: the kernel takes every capability with the user's number.
fn become_user(account: Account) -> io::Result<()> {
    if account != Account::Root {
        setgroups(&[])?;
        setgid(Gid::from_raw(account.id()))?;
        setuid(Uid::from_raw(account.id()))?;
    }
    Ok(())
}

fn open_procs(folder: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(folder.join("cgroup.procs"))
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
