//! The helper's own folder: small files that outlive it, each replaced as a whole, so that a crash at any instant
//! leaves the old one or the new one.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::kill;

/// Where it is, unless a test says otherwise: systemd's `StateDirectory=ropeway`.
pub const FOLDER: &str = "/var/lib/ropeway";

/// How long a process that was killed may take to let go of the lock; the kernel needs a few milliseconds.
const LOCK_TIME: Duration = Duration::from_millis(200);

/// Between two tries to get a lock that somebody else has.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A folder that only root can look into.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    held: Arc<Mutex<Weak<File>>>,
}

impl Store {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), held: Arc::default() }
    }

    /// None when there is none. `InvalidData` when it is not what we write.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.folder.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// On the disk when this returns.
    pub fn write<T: Serialize>(&self, name: &str, content: &T) -> io::Result<()> {
        self.create()?;
        let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        kill::around("write state", || write_synced(&new, &serde_json::to_vec(content)?))?;
        kill::around("rename state", || fs::rename(&new, &file))?;
        self.sync()
    }

    /// With what a crash left of writing it. One that is not there needs no removing.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let new = remove_if_there(&self.folder.join(format!("{name}.new")))?;
        let file = remove_if_there(&self.folder.join(name))?;
        if new || file { self.sync() } else { Ok(()) }
    }

    /// While a process has what comes back, no other process gets it; all clones of this store share it. None when
    /// another has it. The kernel takes it from a process that dies.
    pub fn lock(&self) -> io::Result<Option<Arc<File>>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = held.upgrade() {
            return Ok(Some(lock));
        }
        self.create()?;
        let lock = lock_in_time(File::open(&self.folder)?)?.map(Arc::new);
        *held = lock.as_ref().map(Arc::downgrade).unwrap_or_default();
        Ok(lock)
    }

    /// While what comes back lives, nobody else gets the same; waits for whoever has it, who only writes one file.
    pub fn lock_file(&self, name: &str) -> io::Result<File> {
        self.create()?;
        let path = self.folder.join(format!("{name}.lock"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.lock().map(|()| file)
    }

    /// Out of the way, for a person to look at; an older one goes.
    pub fn set_aside(&self, name: &str) -> io::Result<()> {
        fs::rename(self.folder.join(name), self.folder.join(format!("{name}.damaged")))?;
        self.sync()
    }

    fn create(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn lock_in_time(folder: File) -> io::Result<Option<File>> {
    let deadline = Instant::now() + LOCK_TIME;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match kill::around("remove state", || fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

fn write_synced(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("state"));
        assert_eq!(store.read::<u32>("x").unwrap(), None);
        store.write("x", &7).unwrap();
        assert_eq!(store.read("x").unwrap(), Some(7));
        store.remove("x").unwrap();
        store.remove("x").unwrap();
        assert_eq!(store.read::<u32>("x").unwrap(), None);
    }

    #[test]
    fn what_is_not_ours_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x"), "{").unwrap();
        let error = Store::new(folder.path()).read::<u32>("x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
