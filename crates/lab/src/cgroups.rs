//! The part of the cgroup tree that the person before the client may change, as a service manager of a desktop gives
//! one to each user; and which folders in it, or beside it, outlived their engine. Those hold no process and do no
//! harm, but they stay.

use std::{
    fs, io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{accounts::Account, harness::wait_until};

/// How long processes that were killed may take to leave: milliseconds, more on a busy machine.
const EMPTYING: Duration = Duration::from_secs(5);

/// What a user must own of a folder to move processes below it, as `cgroups(7)` says of delegation.
const DELEGATED: &[&str] = &["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/// The person's folder. None where there is no cgroup2 tree.
pub fn of_person(lab: &str) -> Option<PathBuf> {
    Some(mount()?.join(format!("ropeway-lab-{lab}")))
}

/// Makes it. Without a cgroup2 tree, or with one that nobody may change, tunnels do without.
pub fn delegate(lab: &str) -> Result<()> {
    let Some(folder) = of_person(lab) else { return Ok(()) };
    match fs::create_dir(&folder) {
        Err(error) if is_read_only(&error) => return Ok(()),
        result => result.with_context(|| folder.display().to_string())?,
    }
    let id = Some(Account::Person.id());
    for file in DELEGATED.iter().map(|file| folder.join(file)).filter(|file| file.exists()) {
        chown(&file, id, id).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Removes it with everything in it. Its processes have been killed.
pub fn remove(lab: &str) -> Result<()> {
    let Some(folder) = of_person(lab) else { return Ok(()) };
    let gone = wait_until(EMPTYING, || remove_tree(&folder).is_ok());
    ensure!(gone, "{} cannot be removed: {:?}", folder.display(), remove_tree(&folder));
    Ok(())
}

/// Folders `ropeway-<pid>-<number>` whose process is gone: those of the lab's person, and those of root's engines,
/// which are in this process's own cgroup.
pub fn abandoned(lab: &str) -> Vec<PathBuf> {
    let places = [of_person(lab), own()];
    let entries = places.iter().flatten().flat_map(fs::read_dir).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|folder| engine_of(folder).is_some_and(is_gone)).collect()
}

/// Where the cgroup2 tree is.
pub fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().map(|line| line.split(' ')).find_map(|mut fields| {
        let (place, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| place.into())
    })
}

/// This process's own.
pub fn own() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(mount()?.join(path))
}

/// From the leaves up: the kernel's own files need no removing, and cannot be.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&entry.path())?;
    }
    fs::remove_dir(folder)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

fn engine_of(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.strip_prefix("ropeway-")?.split('-').next()?.parse().ok()
}

fn is_gone(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_its_engine() {
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/ropeway-4194305-7")), Some(4_194_305));
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/ropeway-helper.service")), None);
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/ropeway-lab-demo")), None);
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/user.slice")), None);
    }
}
