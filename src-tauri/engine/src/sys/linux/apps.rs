//! Which program holds a socket: a scan of /proc, 100 ms on a full desktop. So never for each connection: many
//! sockets are looked up by one scan, and only while somebody looks.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

/// A program as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub pid: u32,
    pub name: String,
}

/// The holders of these sockets (by inode). Those of other users, and of programs that ended, are missing.
pub fn holders(inodes: &HashSet<u32>) -> HashMap<u32, App> {
    let mut found = HashMap::new();
    for pid in processes() {
        if found.len() == inodes.len() {
            break;
        }
        for inode in sockets(pid).filter(|inode| inodes.contains(inode)) {
            if let Some(name) = name(pid) {
                found.entry(inode).or_insert(App { pid, name });
            }
        }
    }
    found
}

/// Whether one of these processes, or a descendant of theirs, holds the socket.
pub fn family_holds(roots: &[u32], inode: u32) -> bool {
    let mut family = roots.to_vec();
    let mut next = 0;
    while let Some(&pid) = family.get(next) {
        if sockets(pid).any(|socket| socket == inode) {
            return true;
        }
        family.extend(children(pid));
        next += 1;
    }
    false
}

/// Newest first: the program that just opened a connection is likely one of the last started.
fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let last = last_pid();
    // the numbers wrap around: how long ago each was given out, counted backwards
    pids.sort_unstable_by_key(|pid| last.wrapping_sub(*pid));
    pids
}

/// The number that was given out last, as `/proc/loadavg` tells behind the loads.
fn last_pid() -> u32 {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split_whitespace().nth(4).and_then(|pid| pid.parse().ok()).unwrap_or(u32::MAX)
}

fn sockets(pid: u32) -> impl Iterator<Item = u32> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    fds.filter_map(|fd| {
        fs::read_link(fd.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

/// Direct children of all its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The kernel's short name holds 15 bytes; a longer one is completed from the command line.
fn name(pid: u32) -> Option<String> {
    let short = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first =
        String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    let file = first.rsplit('/').next().unwrap_or_default();
    Some(if short.len() == 15 && file.starts_with(&short) { file.to_owned() } else { short })
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        os::{fd::AsRawFd, unix::fs::MetadataExt},
    };

    use super::*;

    fn inode(socket: &impl AsRawFd) -> u32 {
        fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino() as u32
    }

    #[test]
    fn our_own_sockets_are_found_in_one_scan() {
        let (one, two) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let inodes = HashSet::from([inode(&one), inode(&two), 1]);
        let found = holders(&inodes);
        assert_eq!(found[&inode(&one)].pid, std::process::id());
        assert_eq!(found.len(), 2);
        assert!(family_holds(&[std::process::id()], inode(&two)));
        assert!(!family_holds(&[std::process::id()], 1));
    }
}
