//! The files of a lab, and where: [`ssh`] has keys and the configurations of ssh and sshd, [`host`] what each host has
//! for itself and where its programs look for that.

mod host;
mod ssh;

use std::{fs, io, path::PathBuf};

use anyhow::{Context, Result};

pub use host::{HOSTS, binds, hosts_file, programs, resolv_conf, state_of_helper};
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

    /// What the name server in the private network knows.
    pub fn private_zone(&self) -> PathBuf {
        self.0.join("private-zone")
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

/// Makes the folder of a lab. Another one's end may remove the parent at any moment before ours is in it.
pub fn make(folder: &Folder) -> io::Result<()> {
    loop {
        match fs::create_dir_all(&folder.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
    }
}

/// Removes the folder of a lab, and with the last one the parent.
pub fn remove(folder: &Folder) -> Result<()> {
    match fs::remove_dir_all(&folder.0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("files of the lab"),
        _ => {
            // fails while there are other labs
            let _ = fs::remove_dir(Folder::all());
            Ok(())
        }
    }
}
