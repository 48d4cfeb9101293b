//! A file that another program makes, noticed when it is there.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::{
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
    unistd::read,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Bytes of one read: many events, and room for the longest name.
const EVENTS: usize = 4096;

/// Watches for one file from when this is made.
pub struct Appearance {
    file: PathBuf,
    folder: AsyncFd<OwnedFd>,
}

impl Appearance {
    /// Fails where the kernel gives no more watches: they are counted for each user, and editors take many.
    pub fn of(file: &Path) -> io::Result<Self> {
        let parent = file.parent().ok_or(io::ErrorKind::NotFound)?;
        let folder = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        folder.add_watch(parent, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
        // SAFETY: an `OwnedFd` is the same open descriptor for as long as it lives
        let folder = unsafe { AsyncFd::register_with_interest(OwnedFd::from(folder), Interest::READABLE) }?;
        Ok(Self { file: file.to_owned(), folder })
    }

    /// Until it is there. May be dropped and asked again.
    pub async fn here(&self) -> io::Result<()> {
        while !self.file.exists() {
            let mut readable = self.folder.readable().await?;
            // what they say does not matter: one look tells it
            let _ = readable.try_io(|folder| Ok(read(folder, &mut [0; EVENTS])?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::{task::yield_now, time::timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_file_that_is_there_already_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("socket");
        fs::write(&file, "").unwrap();
        Appearance::of(&file).unwrap().here().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_is_noticed_however_it_is_made_and_no_other_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let make: [fn(&Path, &Path); 3] = [
            |_, file| fs::write(file, "").unwrap(),
            // ssh binds its socket under another name, and links it
            |other, file| fs::hard_link(other, file).unwrap(),
            |other, file| fs::rename(other, file).unwrap(),
        ];
        for (at, make) in make.into_iter().enumerate() {
            let (file, other) = (path(&format!("socket{at}")), path(&format!("other{at}")));
            let appearance = Appearance::of(&file).unwrap();
            let mut waiting = tokio::spawn(async move { appearance.here().await });
            yield_now().await;
            fs::write(&other, "").unwrap();
            assert!(timeout(Duration::from_millis(20), &mut waiting).await.is_err(), "it is not there yet");
            make(&other, &file);
            timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap();
        }
    }
}
