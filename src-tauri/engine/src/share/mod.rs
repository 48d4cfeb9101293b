//! Which interfaces a profile shares its tunnel with: switches (`containers`, `vms`, `lan`) and names become indexes.
//! Pure, but for [`now`].

mod listen;

use std::net::IpAddr;

use ropeway_helper_api::plan::limit;

use crate::sys::interfaces;

pub use listen::{Listen, NOTICE};

/// What a profile's list may say beside names.
pub const CONTAINERS: &str = "containers";
pub const VMS: &str = "vms";
pub const LAN: &str = "lan";

/// Bridges of Docker (its default one, and those of its networks), Podman and CNI.
const OF_CONTAINERS: &[&str] = &["docker", "br-", "podman", "cni"];

/// Bridges of libvirt, and what it puts into them.
const OF_VMS: &[&str] = &["virbr", "vnet"];

/// An interface of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    pub up: bool,
    /// Nobody else is on it, or one peer: loopback, a VPN.
    pub alone: bool,
    pub addresses: Vec<IpAddr>,
}

/// What a list of switches and names means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Ascending, each once.
    pub indexes: Vec<u32>,
    /// Names that no interface has.
    pub missing: Vec<String>,
    /// How many there are beyond those that the helper takes.
    pub left_out: usize,
}

impl Shared {
    /// Who typed a name that nobody has, or means too many, should hear it.
    #[must_use]
    pub fn told(self) -> Self {
        if self.left_out > 0 {
            tracing::warn!(
                "{} interfaces more would share the tunnel; name those that are to",
                self.left_out
            );
        }
        for name in &self.missing {
            tracing::warn!("there is no interface {name} to share the tunnel with; it is looked for again");
        }
        self
    }
}

/// On this computer, now.
pub fn now(share: &[String]) -> Shared {
    if share.is_empty() {
        return Shared::default();
    }
    let all = interfaces::all().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look at the interfaces");
        vec![]
    });
    resolve(share, &all)
}

/// A switch that means none now is no mistake: containers come and go.
fn resolve(share: &[String], all: &[Interface]) -> Shared {
    let mut shared = Shared::default();
    for wanted in share {
        let before = shared.indexes.len();
        shared.indexes.extend(all.iter().filter(|it| it.is(wanted)).map(|it| it.index));
        if shared.indexes.len() == before && ![CONTAINERS, VMS, LAN].contains(&wanted.as_str()) {
            shared.missing.push(wanted.clone());
        }
    }
    shared.indexes.sort_unstable();
    shared.indexes.dedup();
    shared.left_out = shared.indexes.len().saturating_sub(limit::INTERFACES);
    shared.indexes.truncate(limit::INTERFACES);
    shared
}

impl Interface {
    fn is(&self, wanted: &str) -> bool {
        match wanted {
            CONTAINERS => self.begins(OF_CONTAINERS),
            VMS => self.begins(OF_VMS),
            LAN => self.is_lan(),
            name => self.name == name,
        }
    }

    fn begins(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.name.starts_with(prefix))
    }

    /// Everything else with a private address: who gives the internet its addresses shares nothing with it.
    fn is_lan(&self) -> bool {
        let other = !self.begins(OF_CONTAINERS) && !self.begins(OF_VMS);
        other && self.up && !self.alone && self.addresses.iter().any(is_private)
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Interface { name: name.into(), index, up: true, alone: false, addresses }
    }

    fn computer() -> Vec<Interface> {
        let alone = |interface: Interface| Interface { alone: true, ..interface };
        vec![
            alone(interface(1, "lo", &["127.0.0.1", "::1"])),
            interface(2, "eth0", &["192.168.1.7", "fe80::1"]),
            interface(3, "wan0", &["198.51.100.7"]),
            interface(4, "docker0", &["172.17.0.1"]),
            interface(5, "br-0123456789ab", &["172.18.0.1"]),
            interface(6, "virbr0", &["192.168.122.1"]),
            interface(7, "vnet3", &[]),
            alone(interface(8, "wg0", &["10.8.0.2"])),
            Interface { up: false, ..interface(9, "wlan0", &["10.0.0.7"]) },
            interface(10, "podman1", &["10.89.0.1"]),
            interface(11, "br0", &["fd00::1"]),
        ]
    }

    #[test]
    fn switches_and_names_mean_interfaces() {
        for (share, indexes) in [
            (&[][..], &[][..]),
            (&["containers"], &[4, 5, 10]),
            (&["vms"], &[6, 7]),
            (&["lan"], &[2, 11]),
            (&["wg0"], &[8]),
            (&["lan", "eth0", "containers"], &[2, 4, 5, 10, 11]),
        ] {
            let share: Vec<String> = share.iter().map(ToString::to_string).collect();
            assert_eq!(resolve(&share, &computer()), Shared { indexes: indexes.into(), ..Shared::default() });
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_told_and_an_empty_switch_is_not() {
        let share = ["containers", "docker9"].map(str::to_owned);
        let missing = vec!["docker9".to_owned()];
        assert_eq!(resolve(&share, &[]), Shared { missing, ..Shared::default() });
    }

    #[test]
    fn a_host_of_a_hundred_machines_shares_with_as_many_as_the_helper_takes() {
        let many: Vec<_> = (1..=100).map(|index| interface(index, &format!("vnet{index}"), &[])).collect();
        let shared = resolve(&["vms".to_owned()], &many);
        assert_eq!((shared.indexes.len(), shared.left_out), (limit::INTERFACES, 100 - limit::INTERFACES));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn loopback_is_an_interface_and_nobodys_network() {
        let all = interfaces::all().unwrap();
        let loopback = all.iter().find(|it| it.name == "lo").unwrap();
        assert!(loopback.alone && loopback.index == 1 && !loopback.is_lan(), "{loopback:?}");
    }
}
