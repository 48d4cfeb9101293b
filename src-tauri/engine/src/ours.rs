//! What of ours makes connections that no tunnel of this engine may capture: every tunnel's ssh (and what it starts),
//! and the agent on this computer. One register for all tunnels, because the second tunnel's ssh signs in while the
//! first one's rules are in place.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::sys::{
    apps,
    cgroup::{Cgroup, Cgroups},
};

/// The register.
#[derive(Debug, Default)]
pub struct Ours {
    cgroups: Cgroups,
    /// Where no cgroup can be had: the processes above all of ours.
    roots: Mutex<BTreeSet<u32>>,
}

/// Ours as long as this lives.
#[derive(Debug)]
pub struct Adopted {
    ours: Arc<Ours>,
    pid: u32,
}

impl Ours {
    /// A folder for one tunnel, inside the one that the rules let pass.
    pub fn cgroup(&self) -> io::Result<Cgroup> {
        self.cgroups.create()
    }

    /// Counts this process and its descendants as ours.
    pub fn adopt(self: &Arc<Self>, pid: u32) -> Adopted {
        self.roots().insert(pid);
        Adopted { ours: self.clone(), pid }
    }

    /// Whether there is anything that only [`Ours::holds`] can tell: not where cgroups work.
    pub fn needs_a_look(&self) -> bool {
        !self.roots().is_empty()
    }

    /// Whether one of ours holds the socket. Costs a look at each of its processes.
    pub fn holds(&self, inode: u32) -> bool {
        let roots: Vec<u32> = self.roots().iter().copied().collect();
        !roots.is_empty() && apps::family_holds(&roots, inode)
    }

    fn roots(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        self.ours.roots().remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn what_is_adopted_is_ours_until_it_is_let_go() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino() as u32;
        let ours = Arc::new(Ours::default());
        assert!(!ours.holds(inode));
        let adopted = ours.adopt(std::process::id());
        assert!(ours.holds(inode));
        drop(adopted);
        assert!(!ours.holds(inode));
    }
}
