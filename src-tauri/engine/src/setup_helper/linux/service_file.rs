//! The file by which the system bus starts the helper. Only root can write it, and the helper's path in it tells who
//! put it there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ropeway_helper_api::bus;

/// Where the bus looks for services, first match first (dbus-daemon's `standard_system_servicedirs`).
const FOLDERS: [&str; 5] = [
    "/run/dbus-1/system-services",
    "/etc/dbus-1/system-services",
    "/usr/local/share/dbus-1/system-services",
    "/usr/share/dbus-1/system-services",
    "/lib/dbus-1/system-services",
];

/// The part of the system that package managers leave to others.
const OURS: &str = "/usr/local";

/// Whether the helper that the bus would start was put there by this app.
pub fn is_ours() -> bool {
    program(FOLDERS).is_some_and(|program| program.starts_with(OURS))
}

fn program<F: AsRef<Path>>(folders: impl IntoIterator<Item = F>) -> Option<PathBuf> {
    let name = format!("{}.service", bus::NAME);
    let text = folders.into_iter().find_map(|it| fs::read_to_string(it.as_ref().join(&name)).ok())?;
    let exec = text.lines().find_map(|line| line.strip_prefix("Exec="))?;
    exec.split_whitespace().next().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_names_the_program() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = || [first.path(), second.path()];
        assert_eq!(program(folders()), None);
        let write = |folder: &Path, exec: &str| {
            let file = folder.join("org.ropeway.Helper1.service");
            let text = format!("[D-BUS Service]\nName=org.ropeway.Helper1\n{exec}\nUser=root\n");
            fs::write(file, text).unwrap();
        };
        write(second.path(), "Exec=/usr/libexec/ropeway-helper --bus");
        assert_eq!(program(folders()), Some("/usr/libexec/ropeway-helper".into()));
        write(first.path(), "Exec=/usr/local/libexec/ropeway-helper --bus");
        assert_eq!(program(folders()), Some("/usr/local/libexec/ropeway-helper".into()));
        write(first.path(), "Comment=nothing to start");
        assert_eq!(program(folders()), None);
    }
}
