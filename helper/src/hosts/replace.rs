//! A new file in the place of the old one, in one step: readers see either, and so does who looks after a crash.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, XattrFlags, renameat_with},
    io::Errno,
};

use super::{
    change::Change,
    snapshot::{Facts, Snapshot},
};
use crate::kill;

/// None: this file cannot be replaced, and nothing was changed.
pub fn replace(old: &Snapshot, text: &[u8]) -> io::Result<Option<Change>> {
    if old.links > 1 {
        return Ok(None); // its other names would keep the old text
    }
    let path = scratch(&old.path);
    let alike = write_scratch(&path, old, text);
    let replaced = alike.and_then(|alike| alike.then(|| put_in_place(&path, old)).transpose());
    discard(&path)?;
    match replaced {
        Err(error) if is_refusal(&error) => Ok(None),
        replaced => replaced,
    }
}

/// The new file until it is in place, and the old one after that. Beside it, because only there it can be renamed.
fn scratch(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".ropeway-new");
    path.with_file_name(name)
}

/// What an interrupted [`replace`] of this file left beside it.
pub fn discard_scratch_of(path: &Path) -> io::Result<()> {
    discard(&scratch(path))
}

fn discard(scratch: &Path) -> io::Result<()> {
    if scratch.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    kill::around("remove new hosts", || fs::remove_file(scratch))
}

/// The folder or the mount does not allow it: a bind mount, a read-only folder, a folder of somebody else.
fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::BUSY, Errno::ROFS, Errno::ACCESS, Errno::PERM, Errno::XDEV];
    refusals.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether it looks to everybody like the old one.
fn write_scratch(path: &Path, old: &Snapshot, text: &[u8]) -> io::Result<bool> {
    discard(path)?;
    let mut file = kill::around("create new hosts", || {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    })?;
    kill::around("write new hosts", || file.write_all(text))?;
    let alike = copy_facts(&file, &old.facts)?;
    file.sync_all()?;
    Ok(alike)
}

/// What may not be copied is found by the comparison. The mode comes last: a new owner and a new ACL change it.
fn copy_facts(file: &File, wanted: &Facts) -> io::Result<bool> {
    let now = Facts::of(file)?;
    if (now.uid, now.gid) != (wanted.uid, wanted.gid) {
        let _ = kill::around("own new hosts", || fchown(file, Some(wanted.uid), Some(wanted.gid)));
    }
    for name in now.attributes.keys().filter(|name| !wanted.attributes.contains_key(*name)) {
        let _ = kill::around("clear new hosts", || rustix::fs::fremovexattr(file, name.as_slice()));
    }
    for (name, value) in
        wanted.attributes.iter().filter(|(name, value)| now.attributes.get(*name) != Some(*value))
    {
        let set = || rustix::fs::fsetxattr(file, name.as_slice(), value, XattrFlags::empty());
        let _ = kill::around("label new hosts", set);
    }
    let mode = Permissions::from_mode(wanted.mode);
    kill::around("open new hosts", || file.set_permissions(mode))?;
    Ok(Facts::of(file)? == *wanted)
}

/// The two files change places, so what somebody else wrote since the last look is not lost but in our hands.
fn put_in_place(scratch: &Path, old: &Snapshot) -> io::Result<Change> {
    if !old.is_current()? {
        return Ok(Change::Overtaken);
    }
    let ours = inode(scratch)?;
    match exchange(scratch, &old.path) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => return rename_over(scratch, old),
        exchanged => exchanged?,
    }
    let found = Snapshot::take(scratch).map(|found| Snapshot { path: old.path.clone(), ..found });
    if found.is_ok_and(|found| found == *old) {
        sync_folder(&old.path);
        return Ok(Change::Made);
    }
    exchange(scratch, &old.path)?;
    if inode(scratch)? != ours {
        exchange(scratch, &old.path)?; // a still newer one was there by now, and stays
    }
    Ok(Change::Overtaken)
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    kill::around("exchange hosts", || renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE))
}

/// For file systems that cannot exchange. What is written since the last look, an instant ago, is lost.
fn rename_over(scratch: &Path, old: &Snapshot) -> io::Result<Change> {
    kill::around("rename hosts", || fs::rename(scratch, &old.path))?;
    sync_folder(&old.path);
    Ok(Change::Made)
}

/// After a power cut either file may be there, so a folder that cannot be synced costs nothing.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::warn!(%error, folder = %folder.display(), "sync");
    }
}
