//! Reading and replacing one small file safely: no end in sight is no reason to hang, half a file is never seen.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tempfile::NamedTempFile;

/// Bytes of a profile. A line is some 20 bytes, so this is 50 000 networks; a longer file is something else.
const MAX_LENGTH: u64 = 1 << 20;

/// Makes the folder for the user alone; one that is there keeps its mode.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The text of an ordinary file, links followed.
pub fn read(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for somebody to write into it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is not an ordinary file"));
    }
    let mut bytes = vec![];
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is longer than 1 MiB, which no profile is"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = readable.split(|&byte| byte == b'\n').count();
        io::Error::new(ErrorKind::InvalidData, format!("line {line}: this is not text (UTF-8)"))
    })
}

/// Puts a new file there; `AlreadyExists` if there is anything of that name.
pub fn create(path: &Path, text: &str) -> io::Result<()> {
    let (folder, written) = written(path, text)?;
    written.persist_noclobber(path).map_err(|error| error.error)?;
    folder.sync_all()
}

/// Replaces the file as a whole; where `path` is a link, the file that it leads to.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (folder, written) = written(&target, text)?;
    written.persist(&target).map_err(|error| error.error)?;
    folder.sync_all()
}

/// The text in a nameless-to-be file beside `path`, on the disk for sure; and the folder, to be synced after the
/// rename, or a power cut could bring the old name back.
fn written(path: &Path, text: &str) -> io::Result<(File, NamedTempFile)> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let mode = Permissions::from_mode(0o600);
    let mut file = tempfile::Builder::new().prefix(".ropeway-").permissions(mode).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok((File::open(folder)?, file))
}
