//! How a process gets into a host: its network, and a view of the file system in which accounts, names and `/run`
//! are the host's. The view is made anew for each process and ends with it, so there is nothing to clear away.
//! `ip netns exec` is not used: it mounts `/sys` again, and then the cgroup tree is gone.

use std::{
    ffi::{CStr, CString},
    fs::File,
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt, unix::process::CommandExt},
    path::Path,
    process::Command,
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

/// Files of `/etc` that a host has for itself. Names come from `hosts` alone: no name server, no cache daemon.
pub const ETC: &[&str] = &["hosts", "nsswitch.conf", "passwd", "group", "shadow"];

/// Makes `command` start in the namespace that the file names, with the host's `etc` and `run` from `folder`.
pub fn on_start(command: &mut Command, namespace: &Path, folder: &Path) -> io::Result<()> {
    let namespace = File::open(namespace)?;
    let binds = binds(folder)?;
    // SAFETY: between fork and exec this makes system calls with arguments that were prepared before
    unsafe {
        command.pre_exec(move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            change_view(&binds)
        });
    }
    Ok(())
}

/// Runs `work` in a thread whose sockets, and those of the threads it starts, belong to the namespace.
pub fn in_thread<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(namespace)?;
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn change_view(binds: &[(CString, CString)]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&CStr>)?;
    // our copy of this folder's mounts would keep other labs' namespaces alive
    let _ = umount2(c"/run/netns", MntFlags::MNT_DETACH);
    for (source, target) in binds {
        mount(Some(source.as_c_str()), target.as_c_str(), None::<&CStr>, MsFlags::MS_BIND, None::<&CStr>)?;
    }
    Ok(())
}

fn binds(folder: &Path) -> io::Result<Vec<(CString, CString)>> {
    let etc = ETC.iter().map(|file| (folder.join("etc").join(file), Path::new("/etc").join(file)));
    let run = (folder.join("run"), "/run".into());
    etc.chain([run]).map(|(source, target)| Ok((c_path(&source)?, c_path(&target)?))).collect()
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
