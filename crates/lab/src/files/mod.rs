//! The files of a lab, and where: [`ssh`] has keys and the configurations of ssh and sshd, [`host`] what each host has
//! for itself and where its programs look for that.

mod host;
mod ssh;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

pub use host::{HOSTS, binds, programs};
pub use ssh::SSHDS;

use crate::network::Place;

/// Where a lab keeps its files. A place that only root can write to and that programs may run from, which `/run` need
/// not be.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Of the lab of that name.
    pub fn of(lab: &str) -> Self {
        Self(Self::all().join(lab))
    }

    /// The parent of all labs' folders.
    pub fn all() -> PathBuf {
        "/var/lib/ropeway-lab".into()
    }

    /// What a host has for itself: `etc/`, `run/`, `home/`, `state/`, `programs/`.
    pub fn host(&self, place: Place) -> PathBuf {
        self.0.join(place.name())
    }

    /// The lab as data.
    pub fn state(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// The user's ssh configuration on the client.
    pub fn ssh_config(&self) -> PathBuf {
        self.0.join("ssh_config")
    }

    /// The configuration of a host's sshd.
    pub fn sshd_config(&self, place: Place) -> PathBuf {
        self.host(place).join("sshd_config")
    }

    /// What the name server knows.
    pub fn zone(&self) -> PathBuf {
        self.0.join("zone")
    }

    /// What a host's service said.
    pub fn log(&self, place: Place, service: &str) -> PathBuf {
        self.host(place).join(format!("{service}.log"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(name)
    }
}

/// Writes everything; the folder itself is there.
pub fn write(folder: &Folder, lab: &str) -> Result<()> {
    for place in Place::ALL {
        host::write(&folder.host(place), place)
            .with_context(|| format!("files of the lab's {}", place.name()))?;
    }
    ssh::write(folder, lab)
}

/// Makes the folder of a lab, and the place where hosts see the helper's own folder.
pub fn make(folder: &Folder) -> Result<()> {
    let _lock = lock()?;
    fs::create_dir_all(host::STATE_OF_HELPER)?;
    Ok(fs::create_dir_all(&folder.0)?)
}

/// Removes the folder of a lab, and with the last one what only labs need.
pub fn remove(folder: &Folder) -> Result<()> {
    let _lock = lock()?;
    if folder.0.exists() {
        fs::remove_dir_all(&folder.0).context("files of the lab")?;
    }
    // fails while there are other labs, and each of them needs the other place
    if fs::remove_dir(Folder::all()).is_ok() {
        // fails where a helper is installed that has something in it
        let _ = fs::remove_dir(host::STATE_OF_HELPER);
    }
    Ok(())
}

/// One lab at a time comes or goes.
fn lock() -> Result<fs::File> {
    let parent = Folder::all();
    let parent = fs::File::open(parent.parent().unwrap_or(Path::new("/")))?;
    parent.lock()?;
    Ok(parent)
}
