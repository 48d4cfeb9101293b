//! What is remembered from one visit to the next, so that names are there at once: a file beside the agent's own.
//! One that is lost costs nothing but that.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, process, thread};

use super::found::MOST;
use super::name;

/// Bytes that are read: ten thousand of the longest lines are 3 MB.
const LARGEST: u64 = 4 << 20;

/// Seconds after which a name is forgotten that nobody has seen since: a holiday is longer, but a computer that has been
/// away for a week may be another one when it comes back.
const LIFE: u64 = 7 * 24 * 3600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    pub name: String,
    pub address: IpAddr,
    /// Seconds since 1970.
    pub seen: u64,
}

/// The folder in which the agent itself lies (see the engine's bootstrap); None for who has no home.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("ropeway"))
}

/// Nothing when there is no such file.
pub fn load(folder: &Path, now: u64) -> Vec<Cached> {
    let mut text = vec![];
    let _ = File::open(file(folder)).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    parse(&String::from_utf8_lossy(&text), now)
}

/// In a thread that ends with it: a home on a network may let its files wait, and connections must not wait with them.
pub fn save(folder: PathBuf, all: Vec<Cached>) {
    let _ = thread::Builder::new().name("names".into()).spawn(move || drop(write(&folder, &text(all))));
}

fn file(folder: &Path) -> PathBuf {
    folder.join("names-nearby")
}

/// Readers find the old file or the new one. After a crash of the machine it may be empty, which is as good as none.
fn write(folder: &Path, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if fs::symlink_metadata(folder)?.is_symlink() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    let new = folder.join(format!("names-nearby.{}", process::id()));
    // what another process of this number has left
    let _ = fs::remove_file(&new);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&new, file(folder)));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// `10.0.0.5 db.corp.example 1764280000`
fn text(all: Vec<Cached>) -> String {
    let mut text = String::new();
    for Cached { name, address, seen } in all.into_iter().take(MOST) {
        let _ = writeln!(text, "{address} {name} {seen}");
    }
    text
}

fn parse(text: &str, now: u64) -> Vec<Cached> {
    let mut all = HashMap::new();
    for cached in text.lines().filter_map(line).take(MOST) {
        if cached.seen <= now && now - cached.seen <= LIFE {
            all.insert((cached.name.clone(), cached.address), cached);
        }
    }
    all.into_values().collect()
}

fn line(line: &str) -> Option<Cached> {
    let mut words = line.split(' ');
    let (address, name, seen) = (words.next()?, words.next()?, words.next()?);
    Some(Cached { address: address.parse().ok()?, name: name::host(name)?, seen: seen.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cached(number: u8, seen: u64) -> Cached {
        Cached { name: format!("db{number}.corp"), address: [10, 0, 0, number].into(), seen }
    }

    #[test]
    fn what_was_saved_is_loaded_as_long_as_it_is_young() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("cache/ropeway");
        assert_eq!(load(&folder, 5), []);
        write(&folder, &text(vec![cached(1, LIFE), cached(2, 1), cached(3, 9 * LIFE)])).expect("written");
        assert_eq!(load(&folder, LIFE + 2), [cached(1, LIFE)], "not the old one, not one of the future");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file(&folder))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_folder_that_leads_elsewhere_is_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(home.path(), home.path().join("link")).expect("a link");
        assert!(write(&home.path().join("link"), "").is_err());
    }

    proptest! {
        #[test]
        fn any_text_does_no_harm(text in "([0-9. \n]|.){0,300}", now in any::<u64>()) {
            parse(&text, now);
        }
    }
}
