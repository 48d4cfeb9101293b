//! `--install` and `--remove`: the files that make this program a service of the system. Run as root, once, by the
//! app's set-up (through pkexec), by scripts of packages, or by a person.
//!
//! `trust` looks at where the program lies. `pieces` are the files as values, from `installers/linux`; `place` puts a file where it belongs, or takes it
//! away; `system` tells the bus and systemd, and ends a running helper. Nothing here runs a program.

mod pieces;
mod place;
#[cfg(target_os = "linux")]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod system;
mod trust;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;
use ropeway_helper_api::Grant;

use pieces::Piece;
use place::Root;

use crate::{
    grants::Grants,
    platform::Kernel,
    rules::{Firewall, FirewallError, Table},
    store::{self, Store},
    undo::{self, UndoError},
};

/// Below it, files are ours to write and to remove; elsewhere they belong to a package.
const OURS: &str = "/usr/local";

/// What `--install` is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The user who may use the helper from now on, and for what.
    pub grant: Option<(u32, Grant)>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("takes --grant own|all together with --for UID, or nothing")]
    Arguments,
    #[error("needs root")]
    NotRoot,
    #[error("{0} could be changed by somebody who is not root; put the program at /usr/local/libexec")]
    NotTrusted(PathBuf),
    #[error("{0} came with a package: remove that package instead")]
    Packaged(PathBuf),
    #[error("{path}: {error}", path = path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the running helper does not end: {0}")]
    Running(String),
    #[error("what a tunnel left behind: {0}")]
    Undo(#[from] UndoError),
    #[error("what is kept closed: {0}")]
    Blocks(#[from] FirewallError),
    #[error("the system bus: {0}")]
    Bus(String),
    #[error("this system is not supported yet")]
    Unsupported,
}

/// After it the system starts the helper when it is called. Doing it again changes nothing; a running helper goes on
/// with the connections that it has.
pub fn install(options: Options) -> Result<(), InstallError> {
    check_root()?;
    let program = program()?;
    if is_ours(&program) {
        let root = Root::real();
        pieces::of(&program).iter().try_for_each(|piece| root.put(piece))?;
        system::reload()?;
    }
    match options.grant {
        // has everything already
        None | Some((0, _)) => Ok(()),
        Some((uid, grant)) => {
            let store = Store::new(store::FOLDER);
            Grants::new(store).record(uid, grant).map(drop).map_err(state)
        }
    }
}

/// After it nothing of the helper is left, this program included. Tunnels that use it end.
pub fn remove() -> Result<(), InstallError> {
    check_root()?;
    let program = program()?;
    if !is_ours(&program) {
        return Err(InstallError::Packaged(program));
    }
    let root = Root::real();
    let pieces = pieces::of(&program);
    // in this order, so that nobody starts it again meanwhile
    pieces.iter().filter(|piece| piece.starts_the_helper()).try_for_each(|piece| root.take_away(piece))?;
    system::reload()?;
    system::end_running()?;
    undo::run(&Store::new(store::FOLDER))?;
    // with nobody left who could open what crashes left closed
    Kernel::default().remove(Table::Block)?;
    pieces.iter().try_for_each(|piece| root.take_away(piece))?;
    system::reload()?;
    remove_state()?;
    root.take_away(&Piece::program(&program))
}

fn remove_state() -> Result<(), InstallError> {
    match fs::remove_dir_all(store::FOLDER) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(state(error)),
        _ => Ok(()),
    }
}

fn state(error: io::Error) -> InstallError {
    InstallError::File { path: store::FOLDER.into(), error }
}

impl Options {
    /// From the command line, behind `--install`.
    pub fn parse(arguments: &[&str]) -> Result<Self, InstallError> {
        match arguments {
            [] => Ok(Self::default()),
            ["--grant", grant, "--for", uid] | ["--for", uid, "--grant", grant] => {
                let grant = Grant::named(grant).ok_or(InstallError::Arguments)?;
                let uid = uid.parse().map_err(|_| InstallError::Arguments)?;
                Ok(Self { grant: Some((uid, grant)) })
            }
            _ => Err(InstallError::Arguments),
        }
    }
}

fn check_root() -> Result<(), InstallError> {
    if geteuid().is_root() { Ok(()) } else { Err(InstallError::NotRoot) }
}

/// Where this program is, and that nobody but root can change what will be started as root.
fn program() -> Result<PathBuf, InstallError> {
    let file = |path: &Path, error| InstallError::File { path: path.into(), error };
    let program = env::current_exe().and_then(fs::canonicalize);
    let program = program.map_err(|error| file("/proc/self/exe".as_ref(), error))?;
    let named = named(&program, fs::canonicalize(OURS).ok().as_deref());
    for path in program.ancestors().chain(named.ancestors()) {
        if !trust::is_roots_alone(path).map_err(|error| file(path, error))? {
            return Err(InstallError::NotTrusted(path.into()));
        }
    }
    Ok(named)
}

/// The same file by the path that everybody knows: on systems whose `/usr` cannot be written, `/usr/local` is a link.
fn named(program: &Path, ours: Option<&Path>) -> PathBuf {
    let inside = ours.and_then(|ours| program.strip_prefix(ours).ok());
    inside.map_or_else(|| program.into(), |inside| Path::new(OURS).join(inside))
}

fn is_ours(program: &Path) -> bool {
    program.starts_with(OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_needs_its_user() {
        let parsed = |arguments: &[&str]| Options::parse(arguments).ok();
        assert_eq!(parsed(&[]), Some(Options { grant: None }));
        let granted = Some(Options { grant: Some((1000, Grant::Own)) });
        assert_eq!(parsed(&["--grant", "own", "--for", "1000"]), granted);
        assert_eq!(parsed(&["--for", "1000", "--grant", "own"]), granted);
        for wrong in [
            &["--grant", "own"][..],
            &["--for", "1000"],
            &["--grant", "root", "--for", "1000"],
            &["--grant", "own", "--for", "me"],
            &["--grant", "own", "--for", "-1"],
            &["--grant", "own", "--for", "1000", "again"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_package_keeps_its_files() {
        assert!(is_ours(Path::new("/usr/local/libexec/ropeway-helper")));
        assert!(!is_ours(Path::new("/usr/libexec/ropeway-helper")));
        assert!(!is_ours(Path::new("/usr/local-not/ropeway-helper")));
    }

    #[test]
    fn a_link_at_usr_local_is_looked_through() {
        let named = |program: &str, ours: Option<&str>| {
            super::named(Path::new(program), ours.map(Path::new)).display().to_string()
        };
        let ours = "/usr/local/libexec/ropeway-helper";
        assert_eq!(named("/var/usrlocal/libexec/ropeway-helper", Some("/var/usrlocal")), ours);
        assert_eq!(named(ours, Some("/usr/local")), ours);
        assert_eq!(
            named("/usr/libexec/ropeway-helper", Some("/var/usrlocal")),
            "/usr/libexec/ropeway-helper"
        );
        assert_eq!(named("/var/usrlocal2/x", Some("/var/usrlocal")), "/var/usrlocal2/x");
        assert_eq!(named("/usr/libexec/ropeway-helper", None), "/usr/libexec/ropeway-helper");
    }
}
