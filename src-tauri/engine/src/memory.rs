//! What one login learns for the next one: small things that only make it faster. A file that is lost or cannot be
//! written costs nothing but that, so nobody is told.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    api::ProfileId,
    profile::{Server, disk},
};

/// Profiles that are in no file are known by their servers, and nobody deletes those: more are not kept.
const MOST: usize = 1000;

/// The file of one user, shared by all engines. Two that write at once lose one of both, which is learned again.
#[derive(Debug)]
pub struct Memory {
    file: PathBuf,
    writing: Mutex<()>,
}

/// By profile.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Learned {
    #[serde(default)]
    servers: BTreeMap<String, Computer>,
}

/// The server of a profile, while it is this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Computer {
    server: String,
    /// Its processor has instructions for AES.
    aes: bool,
}

impl Memory {
    /// In `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { file: folder.join("learned.toml"), writing: Mutex::default() }
    }

    /// Whether the server's processor has instructions for AES; None where that is not known.
    pub fn aes(&self, profile: &ProfileId, server: &Server) -> Option<bool> {
        let learned = self.read();
        let computer = learned.servers.get(&key(profile, server))?;
        (computer.server == server.to_string()).then_some(computer.aes)
    }

    /// Writes only what is news.
    pub fn learn_aes(&self, profile: &ProfileId, server: &Server, aes: bool) -> io::Result<()> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut learned = self.read();
        let (key, now) = (key(profile, server), Computer { server: server.to_string(), aes });
        if learned.servers.get(&key) == Some(&now) {
            return Ok(());
        }
        if learned.servers.len() >= MOST {
            learned.servers.clear();
        }
        learned.servers.insert(key, now);
        let text = toml::to_string(&learned).map_err(io::Error::other)?;
        disk::create_folder(self.file.parent().ok_or(io::ErrorKind::NotFound)?)?;
        disk::replace(&self.file, &text)
    }

    /// A file that another version has written in another way is as good as none.
    fn read(&self) -> Learned {
        let text = disk::read(&self.file).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }
}

fn key(profile: &ProfileId, server: &Server) -> String {
    if profile.is_unsaved() { format!("to {server}") } else { profile.0.clone() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn server(text: &str) -> Server {
        Server::parse(text).unwrap()
    }

    fn saved(name: &str) -> ProfileId {
        ProfileId(name.into())
    }

    #[test]
    fn what_was_learned_is_known_to_the_next_engine() {
        let folder = tempfile::tempdir().unwrap();
        let memory = || Memory::new(&folder.path().join("state/ropeway"));
        let (work, home) = (saved("work"), saved("home"));
        assert_eq!(memory().aes(&work, &server("me@bastion")), None);
        memory().learn_aes(&work, &server("me@bastion"), true).unwrap();
        memory().learn_aes(&home, &server("pi"), false).unwrap();
        assert_eq!(memory().aes(&work, &server("me@bastion")), Some(true));
        assert_eq!(memory().aes(&home, &server("pi")), Some(false));
        memory().learn_aes(&home, &server("pi"), true).unwrap();
        assert_eq!(memory().aes(&home, &server("pi")), Some(true));
    }

    #[test]
    fn another_server_of_the_same_profile_is_another_computer() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        memory.learn_aes(&saved("work"), &server("old"), true).unwrap();
        assert_eq!(memory.aes(&saved("work"), &server("new")), None);
        assert_eq!(memory.aes(&saved("work"), &server("old:2222")), None);
    }

    #[test]
    fn a_profile_in_no_file_is_known_by_its_server() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        memory.learn_aes(&ProfileId::unsaved(1), &server("me@bastion"), true).unwrap();
        assert_eq!(memory.aes(&ProfileId::unsaved(7), &server("me@bastion")), Some(true));
        assert_eq!(memory.aes(&ProfileId::unsaved(7), &server("bastion")), None);
    }

    #[test]
    fn a_damaged_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("learned.toml"), "servers = 7 [").unwrap();
        let memory = Memory::new(folder.path());
        assert_eq!(memory.aes(&saved("work"), &server("a")), None);
        memory.learn_aes(&saved("work"), &server("a"), true).unwrap();
        assert_eq!(memory.aes(&saved("work"), &server("a")), Some(true));
    }

    #[test]
    fn what_is_known_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        memory.learn_aes(&saved("work"), &server("a"), true).unwrap();
        let number = || {
            use std::os::unix::fs::MetadataExt;
            fs::metadata(folder.path().join("learned.toml")).unwrap().ino()
        };
        let before = number();
        memory.learn_aes(&saved("work"), &server("a"), true).unwrap();
        assert_eq!(number(), before);
    }
}
