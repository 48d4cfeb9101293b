//! A folder on file systems of its own, in a mount namespace that vanishes with the test, and a thread in it with no
//! capability but the helper's.

use std::{
    fs,
    io::{Write, stderr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::Uid,
};
use ropeway_helper::{
    hosts::{HostsError, HostsFile},
    rules::{ClientId, Key},
    store::Store,
};
use ropeway_helper_api::{HostEntry, Hosts, RefusedHost, SessionId};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// What the file says before anything happens.
pub const ORIGINAL: &[u8] = b"127.0.0.1 localhost\n10.0.0.9 printer # upstairs\r\n\n\xff not text";

pub struct World {
    pub folder: PathBuf,
}

/// Runs the test as root with all its power.
pub fn in_world(test: impl FnOnce(&World) + Send) {
    if !Uid::effective().is_root() {
        // not captured by the test runner, as eprintln! would be
        let _ = writeln!(stderr(), "\n*** SKIPPED: this test mounts file systems, which needs root ***");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let world = World { folder: folder.path().into() };
        world.mount_memory("", "");
        world.mount_memory("etc", "");
        fs::write(world.hosts(), ORIGINAL).unwrap();
        test(&world);
    };
    let result = thread::scope(|scope| scope.spawn(inside).join());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// From here on this thread is what the helper is: root's uid, and `CAP_NET_ADMIN` only.
pub fn become_helper() {
    let only = CapabilitySet::NET_ADMIN;
    let sets = CapabilitySets { effective: only, permitted: only, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).unwrap();
}

impl World {
    pub fn hosts(&self) -> PathBuf {
        self.folder.join("etc/hosts")
    }

    pub fn store(&self) -> Store {
        Store::new(self.folder.join("state"))
    }

    /// As a new helper begins.
    pub fn file(&self) -> HostsFile {
        HostsFile::new(self.hosts(), self.store())
    }

    pub fn mount_memory(&self, folder: &str, options: &str) {
        let target = self.folder.join(folder);
        fs::create_dir_all(&target).unwrap();
        mount(Some("tmpfs"), &target, Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
    }

    /// A file of another place over the hosts file, as containers have it. Returns that place.
    pub fn bind(&self) -> PathBuf {
        let place = self.folder.join("bound");
        fs::write(&place, ORIGINAL).unwrap();
        mount(Some(&place), &self.hosts(), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        place
    }

    /// The file is byte for byte what it was, and nothing lies about.
    pub fn assert_untouched(&self) {
        assert_eq!(text(&fs::read(self.hosts()).unwrap()), text(ORIGINAL));
        self.assert_nothing_left();
    }

    pub fn assert_nothing_left(&self) {
        assert_eq!(entries(&self.folder.join("state")), [""; 0]);
        let left: Vec<_> =
            entries(&self.folder.join("etc")).into_iter().filter(|n| n.contains("ropeway")).collect();
        assert_eq!(left, [""; 0]);
    }

    /// The original, and these lines of ours.
    pub fn assert_lines(&self, lines: &[&str]) {
        let bytes = fs::read(self.hosts()).unwrap();
        let ours = bytes.strip_prefix(ORIGINAL).expect("the original part");
        let ours: Vec<_> =
            str::from_utf8(ours).unwrap().lines().filter(|line| line.contains(" # ropeway ")).collect();
        let ours: Vec<_> = ours.iter().map(|line| line.split(" # ").next().unwrap()).collect();
        assert_eq!(ours, lines);
    }
}

pub fn key(client: u64, session: u32) -> Key {
    Key { client: ClientId(client), session: SessionId(session) }
}

pub fn hosts(lines: &[&str]) -> Hosts {
    let entry = |line: &&str| {
        let (address, name) = line.split_once(' ').unwrap();
        HostEntry { name: name.into(), address: address.parse().unwrap() }
    };
    Hosts { suffixes: vec!["corp.example".into()], entries: lines.iter().map(entry).collect() }
}

/// Every address counts as inside the routes.
pub fn set(file: &mut HostsFile, key: Key, lines: &[&str]) -> Result<Vec<RefusedHost>, HostsError> {
    file.set(key, &hosts(lines), &|_| true)
}

pub fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

pub fn run(program: &str, arguments: &[&str], path: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success(), "{program}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Readable in a failed assertion, and different for different bytes.
fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
