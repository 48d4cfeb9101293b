//! The folder for this process's sockets.
//!
//! A process holds a lock on its folder as long as it lives, so that a later one can tell which folders belong to
//! nobody any more. Process numbers cannot tell that: containers that share a home or a `/run` count for themselves.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use crate::setup::fallback_runtime;

/// A socket's path may have 107 bytes, of which ssh wants 18 for a name of its own.
const LONGEST: usize = 107 - 18 - "/4294967295/4294967295.ssh".len();

/// A folder of this process, 0700.
#[derive(Debug)]
pub struct Runtime {
    folder: PathBuf,
    _lock: File,
}

impl Runtime {
    /// Those of processes that are gone are cleared away. Where the usual place is too deep for a socket's path, the
    /// one for want of a session serves.
    pub fn make(usual: &Path) -> io::Result<Self> {
        let short = fallback_runtime(geteuid());
        let parent = if usual.as_os_str().len() <= LONGEST { usual } else { &short };
        private().recursive(true).create(parent)?;
        own(parent)?;
        clear_stale(parent);
        let pid = std::process::id();
        // the number may be taken by a process that counts from elsewhere
        for folder in (0..).map(|more: u32| parent.join(pid.wrapping_add(more).to_string())) {
            if let Some(runtime) = Self::claim(folder)? {
                return Ok(runtime);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// None when it is another's. Between the making and the lock somebody may clear it away: then once more.
    fn claim(folder: PathBuf) -> io::Result<Option<Self>> {
        loop {
            match private().create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                made => made?,
            }
            if let Some(lock) = lock(&folder) {
                return Ok(Some(Self { folder, _lock: lock }));
            }
        }
    }
}

fn private() -> fs::DirBuilder {
    let mut private = fs::DirBuilder::new();
    private.mode(0o700);
    private
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
        let folder = entry.path();
        let of_a_process = entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        if of_a_process && lock(&folder).is_some() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// None when somebody lives there, or it is not there any more.
fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    let (held, there) = (file.metadata().ok()?, fs::metadata(folder).ok()?);
    (held.ino() == there.ino()).then_some(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn parent(mode: u32) -> tempfile::TempDir {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode)).unwrap();
        parent
    }

    #[test]
    fn leftovers_of_the_dead_are_cleared_and_the_living_are_left_alone() {
        let parent = parent(0o700);
        let (dead, foreign) = (parent.path().join("1"), parent.path().join("keep"));
        for folder in [&dead, &foreign] {
            fs::create_dir(folder).unwrap();
        }
        let first = Runtime::make(parent.path()).unwrap();
        assert!(first.folder().ends_with(std::process::id().to_string()));
        let second = Runtime::make(parent.path()).unwrap();
        assert_ne!(first.folder(), second.folder(), "a number that is taken");
        assert!(first.folder().exists() && foreign.exists() && !dead.exists());
        let left = first.folder().to_owned();
        drop(first);
        let _third = Runtime::make(parent.path()).unwrap();
        assert!(left.exists(), "its number is free again");
        assert!(second.folder().exists());
    }

    #[test]
    fn a_folder_that_others_can_read_is_refused() {
        let parent = parent(0o755);
        assert_eq!(Runtime::make(parent.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
