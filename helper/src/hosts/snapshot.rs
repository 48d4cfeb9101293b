//! The file as it was at one instant: its bytes, and all that a new file in its place must have too.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{buffer::spare_capacity, fs::OFlags, io::Errno};

/// Bytes of a file that is read: what we make at most, and as much again by others, so that our lines can go.
const MAX_SIZE: u64 = 2 * super::MAX_SIZE as u64;

/// `XATTR_SIZE_MAX` and `XATTR_LIST_MAX` of Linux (linux/limits.h).
const MAX_ATTRIBUTE: usize = 64 << 10;

/// Two of them are equal when the file was not changed in between.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub facts: Facts,
    /// Device and inode.
    pub id: (u64, u64),
    pub links: u64,
}

/// What users and programs see of a file beside its bytes. ACLs are extended attributes.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Snapshot {
    /// A symlink is not followed, and anything but a regular file is an error.
    pub fn take(path: &Path) -> io::Result<Self> {
        // a FIFO in its place must not stop us
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = vec![];
        (&file).take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self {
            path: path.into(),
            bytes,
            facts: Facts::of(&file)?,
            id: (metadata.dev(), metadata.ino()),
            links: metadata.nlink(),
        })
    }

    /// Whether the path still leads to the same file with the same content.
    pub fn is_current(&self) -> io::Result<bool> {
        Ok(Self::take(&self.path)? == *self)
    }
}

impl Facts {
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.permissions().mode() & 0o7777,
            attributes: attributes(file)?,
        })
    }
}

fn attributes(file: &File) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut list = Vec::with_capacity(MAX_ATTRIBUTE);
    match rustix::fs::flistxattr(file, spare_capacity(&mut list)) {
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()), // a file system without any
        listed => listed?,
    };
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut attributes = BTreeMap::new();
    for name in names {
        let mut value = Vec::with_capacity(MAX_ATTRIBUTE);
        match rustix::fs::fgetxattr(file, name, spare_capacity(&mut value)) {
            Err(Errno::NODATA) => {} // removed since
            read => {
                read?;
                attributes.insert(name.to_vec(), value);
            }
        }
    }
    Ok(attributes)
}
