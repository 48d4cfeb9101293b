//! Who could change what will be started as root. `install.sh` asks the same of the folders before the program is there.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use nix::unistd::Group;
use rustix::io::Errno;

/// Debian lets this group write to the folders of `/usr/local`, and counts it as root there.
const LOCAL_ADMINISTRATORS: &str = "staff";

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

const ACCESS_LIST: &str = "system.posix_acl_access";

/// Whether nobody else can change it, links at its end followed.
pub fn is_roots_alone(path: &Path) -> io::Result<bool> {
    let found = fs::metadata(path)?;
    if found.uid() != 0 || found.mode() & OTHERS_WRITE != 0 {
        return Ok(false);
    }
    // where there is an access list, this bit is of its mask: without it, nobody in the list may write either
    if found.mode() & GROUP_WRITES == 0 {
        return Ok(true);
    }
    Ok(found.is_dir() && is_roots_group(found.gid())? && !has_access_list(path)?)
}

fn is_roots_group(gid: u32) -> io::Result<bool> {
    let staff = Group::from_name(LOCAL_ADMINISTRATORS)?;
    Ok(gid == 0 || staff.is_some_and(|staff| staff.gid.as_raw() == gid))
}

fn has_access_list(path: &Path) -> io::Result<bool> {
    match rustix::fs::getxattr(path, ACCESS_LIST, &mut [0; 0][..]) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    use nix::unistd::{Gid, Uid, chown, geteuid};

    use super::*;

    /// Of a folder and of a file with that owner, group and mode, and these entries in their access lists.
    fn judged(uid: u32, gid: u32, mode: u32, access: &str) -> (bool, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [folder.path(), &file] {
            chown(path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            if !access.is_empty() {
                let set = Command::new("setfacl").args(["-m", access]).arg(path).status().unwrap();
                assert!(set.success());
            }
        }
        (is_roots_alone(folder.path()).unwrap(), is_roots_alone(&file).unwrap())
    }

    #[test]
    fn only_roots_groups_may_write_and_only_to_folders() {
        if !geteuid().is_root() {
            eprintln!("SKIPPED only_roots_groups_may_write_and_only_to_folders: needs root.");
            return;
        }
        let group = |name| Group::from_name(name).unwrap().unwrap().gid.as_raw();
        let (staff, games) = (group("staff"), group("games"));
        assert_eq!(judged(0, 0, 0o755, ""), (true, true));
        assert_eq!(judged(0, games, 0o2755, ""), (true, true));
        assert_eq!(judged(0, 0, 0o775, ""), (true, false));
        assert_eq!(judged(0, staff, 0o2775, ""), (true, false));
        assert_eq!(judged(0, games, 0o775, ""), (false, false));
        assert_eq!(judged(0, 0, 0o757, ""), (false, false));
        assert_eq!(judged(1000, 0, 0o755, ""), (false, false));
        assert_eq!(judged(0, 0, 0o755, "u:1000:rx"), (true, true));
        assert_eq!(judged(0, 0, 0o755, "u:1000:rwx"), (false, false));
        assert_eq!(judged(0, staff, 0o2775, "g:1000:rwx"), (false, false));
    }
}
