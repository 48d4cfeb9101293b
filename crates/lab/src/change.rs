//! What tests change while a lab is up.

use std::{fs, net::IpAddr};

use anyhow::Result;
use ropeway_helper_api::Grant;

use crate::{
    files::{self, Folder},
    lab::Lab,
    network::{self, Family, Place},
    serve::dns,
    system_bus,
};

impl Lab {
    /// What the name server of the lab, which the client asks, says from now on; see [`crate::SERVER_NAME`].
    pub fn set_names(&self, names: &[(&str, IpAddr)]) -> Result<()> {
        dns::write_zone(&Folder::of(self.name()).zone(), names)
    }

    /// What the host's own hosts file says from now on, beside what all have.
    pub fn add_to_hosts_file(&self, place: Place, lines: &str) -> Result<()> {
        let file = files::hosts_file(&Folder::of(self.name()).host(place));
        Ok(fs::write(file, format!("{}{lines}", files::HOSTS))?)
    }

    /// The host's programs ask the lab's name server from now on, for short names in this domain.
    pub fn give_name_server(&self, place: Place, domain: &str) -> Result<()> {
        let file = files::resolv_conf(&Folder::of(self.name()).host(place));
        let server = Place::Hub.address(Family::V4);
        Ok(fs::write(file, format!("nameserver {server}\nsearch {domain}\n"))?)
    }

    /// What the name server in the private network says from now on: names below `corp.test`.
    pub fn set_private_names(&self, names: &[(&str, IpAddr)]) -> Result<()> {
        dns::write_zone(&Folder::of(self.name()).private_zone(), names)
    }

    /// Moves the server to another IPv4 address, which is returned; nobody is at the old one any more. Its name stays
    /// where it was until [`Lab::set_names`].
    pub fn move_server(&self) -> Result<IpAddr> {
        network::move_server(self.name())?;
        Ok(network::server_elsewhere())
    }

    /// What the person on the client may ask of a helper that is not running yet; [`Grant::Own`] when a lab is new.
    pub fn grant(&self, grant: Grant) -> Result<()> {
        system_bus::grant(&Folder::of(self.name()).host(Place::Client), grant)
    }
}
