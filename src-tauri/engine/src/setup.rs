//! Where things are on this computer.

use std::{
    env, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, geteuid};

/// Root's folder for sockets: only root can make anything beside it.
const OF_ROOT: &str = if cfg!(target_os = "macos") { "/var/run/ropeway" } else { "/run/ropeway" };

/// The folders and programs that an engine uses.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `profiles/` of the configuration folder.
    pub profiles: PathBuf,
    /// Sockets of this user's processes; 0700, gone at log-out.
    pub runtime: PathBuf,
    /// What is remembered from one login to the next.
    pub state: PathBuf,
    /// The helper program.
    pub helper: PathBuf,
    /// Folder with `ropeway-agent-<os>-<cpu>` files.
    pub agents: PathBuf,
}

impl Setup {
    /// By the XDG variables and the place of the running program: helper and agents lie beside it (a build
    /// folder), or in `../lib/ropeway` of it (an installation).
    pub fn of_user() -> io::Result<Self> {
        let exe = env::current_exe()?;
        let folder = exe.parent().ok_or(io::ErrorKind::NotFound)?;
        let installed = folder.join("../lib/ropeway");
        let parts = if installed.join("agents").is_dir() { installed } else { folder.to_path_buf() };
        let home = env::home_dir().ok_or(io::ErrorKind::NotFound)?;
        let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Ok(Self {
            profiles: config.join("ropeway/profiles"),
            state: absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("ropeway"),
            runtime: runtime(absolute("XDG_RUNTIME_DIR").as_deref(), geteuid()),
            helper: parts.join("ropeway-helper"),
            agents: parts.join("agents"),
        })
    }
}

/// The session's folder when it is the user's own, as the XDG specification promises; `sudo -E` passes on another's.
fn runtime(session: Option<&Path>, user: Uid) -> PathBuf {
    let own = |folder: &&Path| fs::metadata(folder).is_ok_and(|data| data.uid() == user.as_raw());
    match session.filter(own) {
        Some(folder) => folder.join("ropeway"),
        None => fallback_runtime(user),
    }
}

/// Flat, so that no folder above it can be another user's, except those where nobody can rename what is not theirs.
pub(crate) fn fallback_runtime(user: Uid) -> PathBuf {
    if user.is_root() { OF_ROOT.into() } else { env::temp_dir().join(format!("ropeway-{user}")) }
}

/// A folder from the environment; the XDG specification says to ignore relative ones.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_folder_is_used_when_it_is_the_users_own() {
        let session = tempfile::tempdir().unwrap();
        assert_eq!(runtime(Some(session.path()), geteuid()), session.path().join("ropeway"));
        let other = Uid::from_raw(geteuid().as_raw() + 1);
        assert_eq!(runtime(Some(session.path()), other), fallback_runtime(other));
    }

    #[test]
    fn without_a_session_nothing_lies_in_a_folder_that_another_user_may_have_made() {
        assert_eq!(runtime(None, Uid::from_raw(0)), Path::new(OF_ROOT));
        assert_eq!(runtime(None, Uid::from_raw(1000)), env::temp_dir().join("ropeway-1000"));
    }
}
