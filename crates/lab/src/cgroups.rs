//! Which cgroup folders of ours outlived their engine. They hold no process and do no harm, but they stay.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders `ropeway-<pid>-<number>` below this process's own cgroup whose process is gone. Empty where there is no
/// cgroup2 tree.
pub fn abandoned() -> Vec<PathBuf> {
    let Some(own) = own_folder() else { return Vec::new() };
    let entries = fs::read_dir(own).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|folder| engine_of(folder).is_some_and(is_gone)).collect()
}

fn own_folder() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().map(|line| line.split(' ')).find_map(|mut fields| {
        let (place, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| place.to_owned())
    })?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(&mount).join(path))
}

fn engine_of(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.strip_prefix("ropeway-")?.split('-').next()?.parse().ok()
}

fn is_gone(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_its_engine() {
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/ropeway-4194305-7")), Some(4_194_305));
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/ropeway-helper.service")), None);
        assert_eq!(engine_of(Path::new("/sys/fs/cgroup/user.slice")), None);
    }
}
