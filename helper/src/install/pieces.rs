//! The files of an installation as values: those of `installers/linux`, with the path of the program put in.

use std::path::{Path, PathBuf};

/// As `installers/linux` names the program: where packages have it.
const PACKAGED: &str = "/usr/libexec/ropeway-helper";

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../installers/linux/", $name))
    };
}

/// Where each file goes, as an absolute path. Not where packages put theirs, but where the system looks as well.
const FILES: &[(&str, &str)] = &[
    ("/etc/systemd/system/ropeway-helper.service", file!("ropeway-helper.service")),
    ("/etc/systemd/system/ropeway-undo.service", file!("ropeway-undo.service")),
    ("/etc/dbus-1/system.d/org.ropeway.Helper1.conf", file!("org.ropeway.Helper1.conf")),
    ("/usr/share/polkit-1/actions/org.ropeway.helper.policy", file!("org.ropeway.helper.policy")),
    // last: from here on a call starts the helper
    (ACTIVATION, file!("org.ropeway.Helper1.service")),
];

const ACTIVATION: &str = "/usr/local/share/dbus-1/system-services/org.ropeway.Helper1.service";

/// What `WantedBy=` of that unit means; `systemctl enable` would make the same link.
const AT_BOOT: (&str, &str) =
    ("/etc/systemd/system/sysinit.target.wants/ropeway-undo.service", "../ropeway-undo.service");

/// Where polkit also looks, since 125; for systems whose `/usr` cannot be written.
const INSTEAD: &[(&str, &str)] = &[("/usr/share/polkit-1/actions", "/etc/polkit-1/actions")];

/// One file of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub path: PathBuf,
    /// Where it goes when the file system of `path` is read-only.
    pub instead: Option<PathBuf>,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    Link(PathBuf),
    /// Made by somebody else; only ever removed.
    Given,
}

/// In the order in which they are put in place.
pub fn of(program: &Path) -> Vec<Piece> {
    let program = program.display().to_string();
    let text =
        |(path, text): &(&str, &str)| Piece::new(path, Content::Text(text.replace(PACKAGED, &program)));
    let link = Piece::new(AT_BOOT.0, Content::Link(AT_BOOT.1.into()));
    [link].into_iter().chain(FILES.iter().map(text)).collect()
}

impl Piece {
    /// The helper itself.
    pub fn program(path: &Path) -> Self {
        Self { path: path.into(), instead: None, content: Content::Given }
    }

    /// Whether the system starts the helper because of this file.
    pub fn starts_the_helper(&self) -> bool {
        self.path == Path::new(ACTIVATION)
    }

    fn new(path: &str, content: Content) -> Self {
        let instead = INSTEAD.iter().find_map(|(from, to)| {
            let rest = Path::new(path).strip_prefix(from).ok()?;
            Some(Path::new(to).join(rest))
        });
        Self { path: path.into(), instead, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_names_the_program_that_installs_it() {
        let pieces = of(Path::new("/usr/local/libexec/ropeway-helper"));
        let naming = pieces.iter().filter(|piece| match &piece.content {
            Content::Text(text) => {
                assert!(!text.contains("=/usr/libexec"), "{}", piece.path.display());
                text.contains("=/usr/local/libexec/ropeway-helper --")
            }
            _ => false,
        });
        let names: Vec<_> = naming.filter_map(|piece| piece.path.file_name()?.to_str()).collect();
        assert_eq!(names, ["ropeway-helper.service", "ropeway-undo.service", "org.ropeway.Helper1.service"]);
    }

    #[test]
    fn only_what_polkit_reads_has_a_second_place() {
        let pieces = of(Path::new("/x"));
        let second: Vec<_> = pieces.iter().filter_map(|piece| piece.instead.as_deref()).collect();
        assert_eq!(second, [Path::new("/etc/polkit-1/actions/org.ropeway.helper.policy")]);
    }
}
