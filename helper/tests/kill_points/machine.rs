//! A machine to die on: namespaces for network and mounts, a hosts file of some kind, a state folder.

use std::{
    fs,
    io::{Write, stderr},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::Uid,
};

use crate::dice::Dice;

/// What the hosts file is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Plain,
    Link,
    Bound,
    TwoNames,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Link, Self::Bound, Self::TwoNames];
}

pub struct Machine {
    folder: PathBuf,
    original: Mutex<Vec<u8>>,
}

/// Runs the test on a machine that vanishes with it.
pub fn in_machine(kind: Kind, test: impl FnOnce(&Machine) + Send) {
    if !Uid::effective().is_root() {
        // not captured by the test runner, as eprintln! would be
        let _ = writeln!(stderr(), "\n*** SKIPPED: this test makes namespaces, which needs root ***");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        test(&Machine::new(folder.path(), kind));
    };
    if let Err(panic) = thread::scope(|scope| scope.spawn(inside).join()) {
        std::panic::resume_unwind(panic);
    }
}

/// A hosts file, with and without an end of its last line.
pub fn any_text(dice: &mut Dice) -> Vec<u8> {
    let lines = ["127.0.0.1 localhost\n", "# a comment\r\n", "\n", "10.9.9.9 printer", "# ropeway\n", "#"];
    (0..dice.up_to(6)).map(|_| dice.pick(&lines)).collect::<String>().into()
}

impl Machine {
    fn new(folder: &Path, kind: Kind) -> Self {
        let machine = Self { folder: folder.into(), original: Mutex::default() };
        let (etc, hosts, other) = (folder.join("etc"), machine.hosts(), folder.join("etc/other"));
        fs::create_dir(&etc).unwrap();
        fs::write(&other, "").unwrap();
        match kind {
            Kind::Plain => fs::rename(&other, &hosts).unwrap(),
            Kind::Link => symlink("other", &hosts).unwrap(),
            Kind::TwoNames => fs::hard_link(&other, &hosts).unwrap(),
            Kind::Bound => {
                fs::write(&hosts, "").unwrap();
                mount(Some(&other), &hosts, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
            }
        }
        machine.write_hosts(b"127.0.0.1 localhost\n10.9.9.9 printer");
        machine
    }

    pub fn hosts(&self) -> PathBuf {
        self.folder.join("etc/hosts")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn write_hosts(&self, text: &[u8]) {
        fs::write(self.hosts(), text).unwrap();
        *self.original.lock().unwrap() = text.into();
    }

    /// But for what is kept closed.
    pub fn assert_as_it_was(&self, round: &str) {
        let text = fs::read(self.hosts()).unwrap();
        let original = self.original.lock().unwrap();
        assert_eq!(text.escape_ascii().to_string(), original.escape_ascii().to_string(), "{round}");
        assert!(!tables().contains(&"ropeway".into()), "{round}: the table is there");
        let left: Vec<_> =
            names(&self.folder.join("etc")).into_iter().filter(|n| n.contains("ropeway")).collect();
        assert_eq!(left, [""; 0], "{round}");
        let journals: Vec<_> =
            names(&self.state()).into_iter().filter(|n| n.starts_with("journal")).collect();
        assert_eq!(journals, [""; 0], "{round}");
    }

    /// Lets nothing of a round into the next one.
    pub fn assert_nothing_at_all(&self, round: &str) {
        self.assert_as_it_was(round);
        assert_eq!(tables(), [""; 0], "{round}");
        assert_eq!(names(&self.state()), [""; 0], "{round}");
    }
}

/// Whether something is kept closed on the machine of this thread.
pub fn is_closed() -> bool {
    tables().contains(&"ropeway_ks".into())
}

fn tables() -> Vec<String> {
    let output = Command::new("nft").args(["list", "tables"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.rsplit(' ').next().unwrap().into()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
