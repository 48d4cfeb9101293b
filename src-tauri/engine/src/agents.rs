//! The agents that this installation can send, by platform.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::ssh::bootstrap::Platform;

/// File names are this and the platform: `ropeway-agent-linux-x86_64`.
const PREFIX: &str = "ropeway-agent-";

/// What is in the folder.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    all: BTreeMap<Platform, Found>,
}

/// One agent's file.
#[derive(Debug, Clone)]
pub struct Found {
    pub path: PathBuf,
    /// SHA-256, lower-case hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

impl Agents {
    /// Reads and hashes every agent (a few ms each). A folder that is not there has none.
    pub fn find(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let all = entries.filter_map(|entry| {
            let platform = entry.file_name().to_str()?.strip_prefix(PREFIX)?.to_owned();
            let plain = platform.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            plain.then(|| Found::read(&entry.path()).ok().map(|found| (platform, found)))?
        });
        Self { all: all.collect() }
    }

    pub fn all(&self) -> &BTreeMap<Platform, Found> {
        &self.all
    }

    pub fn get(&self, platform: &str) -> Option<&Found> {
        self.all.get(platform)
    }

    pub fn of_this_computer(&self) -> Option<&Found> {
        let system = std::env::consts::OS.replace("macos", "darwin");
        self.get(&format!("{system}-{}", std::env::consts::ARCH))
    }
}

impl Found {
    fn read(path: &Path) -> io::Result<Self> {
        let program = fs::read(path)?;
        let hash = Sha256::digest(&program).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { path: path.to_owned(), hash, size: program.len() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agents_are_found_and_their_hash_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ropeway-agent-linux-x86_64"), b"abc").unwrap();
        fs::write(folder.path().join("ropeway-agent-$(x)"), b"abc").unwrap();
        fs::write(folder.path().join("notes"), b"").unwrap();
        let agents = Agents::find(folder.path());
        assert_eq!(agents.all().len(), 1);
        let agent = agents.get("linux-x86_64").unwrap();
        assert!(agent.hash.starts_with("ba7816bf"), "{}", agent.hash);
        assert_eq!(agent.size, 3);
    }
}
