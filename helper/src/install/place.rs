//! Puts files of root where they belong, whole or not at all, and takes them away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{
    InstallError,
    pieces::{Content, Piece},
};

/// Everybody may read what root has installed, whatever the umask of whoever called.
const MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Folders that we may have made, and remove when nothing is in them any more. Those above them are always there.
const SHORT_LIVED: &[&str] = &[
    "/usr/local/libexec",
    "/usr/local/share/dbus-1/system-services",
    "/usr/local/share/dbus-1",
    "/etc/systemd/system/sysinit.target.wants",
    "/etc/polkit-1/actions",
];

/// The file system, or a test's.
pub struct Root(PathBuf);

impl Root {
    pub fn real() -> Self {
        Self("/".into())
    }

    /// One that is there already, just so, is not touched.
    pub fn put(&self, piece: &Piece) -> Result<(), InstallError> {
        let put = |path: &Path| {
            let file = self.at(path);
            place(&file, &piece.content).map_err(|error| InstallError::File { path: path.into(), error })
        };
        match (put(&piece.path), &piece.instead) {
            (Err(InstallError::File { error, .. }), Some(other))
                if error.kind() == ErrorKind::ReadOnlyFilesystem =>
            {
                put(other)
            }
            (result, _) => result,
        }
    }

    /// From all places where it may be.
    pub fn take_away(&self, piece: &Piece) -> Result<(), InstallError> {
        for path in [Some(&piece.path), piece.instead.as_ref()].into_iter().flatten() {
            let file = self.at(path);
            unless_gone(fs::remove_file(&file))
                .map_err(|error| InstallError::File { path: path.clone(), error })?;
            for folder in path.ancestors().filter(|folder| is_short_lived(folder)) {
                let _ = fs::remove_dir(self.at(folder)); // others' files keep it
            }
        }
        Ok(())
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn is_short_lived(folder: &Path) -> bool {
    SHORT_LIVED.iter().any(|path| folder == Path::new(path))
}

fn place(file: &Path, content: &Content) -> io::Result<()> {
    if is_there(file, content) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    make(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // neither systemd nor dbus nor polkit reads a file with this ending
    let new = folder.join(format!(".{name}.new"));
    unless_gone(fs::remove_file(&new))?;
    match content {
        Content::Text(text) => write_synced(&new, text.as_bytes())?,
        Content::Link(to) => symlink(to, &new)?,
        Content::Given => return Ok(()),
    }
    fs::rename(&new, file)?;
    File::open(folder)?.sync_all()
}

/// With those above it.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), make)?;
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE))
}

fn is_there(file: &Path, content: &Content) -> bool {
    let Ok(found) = fs::symlink_metadata(file) else { return false };
    match content {
        Content::Text(text) => {
            found.is_file()
                && found.uid() == 0
                && found.permissions().mode() & 0o7777 == MODE
                && fs::read(file).is_ok_and(|bytes| bytes == text.as_bytes())
        }
        Content::Link(to) => fs::read_link(file).is_ok_and(|found| found == *to),
        Content::Given => true,
    }
}

fn write_synced(new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(MODE).open(new)?;
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::pieces;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
        all.sort();
        all
    }

    fn put_all(root: &Root, pieces: &[Piece]) {
        pieces.iter().try_for_each(|piece| root.put(piece)).unwrap();
    }

    fn installed() -> (tempfile::TempDir, Root, Vec<Piece>) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root(folder.path().into());
        let pieces = pieces::of(Path::new("/usr/local/libexec/ropeway-helper"));
        put_all(&root, &pieces);
        (folder, root, pieces)
    }

    #[test]
    fn what_was_put_is_taken_away_and_nothing_else() {
        let (folder, root, pieces) = installed();
        assert_eq!(files(folder.path()).len(), pieces.len());
        let foreign = folder.path().join("usr/local/share/dbus-1/foreign");
        fs::write(&foreign, "").unwrap();
        for _ in 0..2 {
            pieces.iter().try_for_each(|piece| root.take_away(piece)).unwrap();
            assert_eq!(files(folder.path()), std::slice::from_ref(&foreign));
        }
        assert!(!folder.path().join("usr/local/share/dbus-1/system-services").exists());
        assert!(folder.path().join("usr/share/polkit-1/actions").exists(), "belongs to polkit");
    }

    #[test]
    fn a_file_that_is_as_it_should_be_stays_the_same_file() {
        let (folder, root, pieces) = installed();
        let inodes = || {
            let inode = |path: &PathBuf| fs::symlink_metadata(path).unwrap().ino();
            files(folder.path()).iter().map(inode).collect::<Vec<_>>()
        };
        let before = inodes();
        if nix::unistd::geteuid().is_root() {
            put_all(&root, &pieces);
            assert_eq!(inodes(), before);
        }
        let unit = folder.path().join("etc/systemd/system/ropeway-helper.service");
        fs::set_permissions(&unit, fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(folder.path().join("etc/systemd/system/.ropeway-helper.service.new"), "half").unwrap();
        put_all(&root, &pieces);
        assert_eq!(fs::metadata(&unit).unwrap().permissions().mode() & 0o7777, MODE);
        assert_eq!(files(folder.path()).len(), pieces.len(), "no half file is left");
    }
}
