//! Where things are on this computer.

use std::{env, io, path::PathBuf};

/// The folders and programs that an engine uses.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `profiles/` of the configuration folder.
    pub profiles: PathBuf,
    /// Sockets of this process; 0700, gone at log-out.
    pub runtime: PathBuf,
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
        let runtime = absolute("XDG_RUNTIME_DIR")
            .unwrap_or_else(|| env::temp_dir().join(format!("ropeway-{}", nix::unistd::getuid())));
        Ok(Self {
            profiles: config.join("ropeway/profiles"),
            runtime: runtime.join("ropeway"),
            helper: parts.join("ropeway-helper"),
            agents: parts.join("agents"),
        })
    }
}

/// A folder from the environment; the XDG specification says to ignore relative ones.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
