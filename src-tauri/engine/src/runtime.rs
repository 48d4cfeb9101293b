//! The folder for this process's sockets.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::signal::kill,
    unistd::{Pid, geteuid},
};

use crate::setup::fallback_runtime;

/// A folder of this process, 0700. Those of processes that are gone are cleared away. A socket's path may have 107
/// bytes, of which ssh wants 18 for a name of its own: where the usual place is too deep, the one for want of a session serves.
pub fn folder(usual: &Path) -> io::Result<PathBuf> {
    const LONGEST: usize = 107 - 18 - "/4294967295/4294967295.ssh".len();
    let short = fallback_runtime(geteuid());
    let parent = if usual.as_os_str().len() <= LONGEST { usual } else { &short };
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(parent)?;
    own(parent)?;
    clear_stale(parent);
    let folder = parent.join(std::process::id().to_string());
    private.create(&folder)?;
    Ok(folder)
}

/// In a shared temporary folder anybody could have made it before us.
fn own(folder: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(folder)?;
    if !data.is_dir() || data.uid() != geteuid().as_raw() || data.mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder is not ours alone"));
    }
    Ok(())
}

fn clear_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let gone = |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        if pid.is_some_and(gone) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn leftovers_of_the_dead_are_cleared_and_the_living_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let (dead, init) = (parent.path().join("4194304"), parent.path().join("1"));
        for folder in [&dead, &init] {
            fs::create_dir(folder).unwrap();
        }
        let ours = folder(parent.path()).unwrap();
        assert!(ours.ends_with(std::process::id().to_string()));
        assert_eq!((dead.exists(), init.exists()), (false, true));
    }

    #[test]
    fn a_folder_that_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(folder(parent.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
