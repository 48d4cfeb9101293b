//! What the kernel has to be able to do for the rules. The platform does it; tests play it.

use std::collections::BTreeMap;

use ropeway_helper_api::Count;

use super::{
    iptables::Lines,
    method::Means,
    script::{Script, Table},
    stale::Stale,
    udp::{Device, Way},
};

/// The kernel's tables.
pub trait Firewall {
    /// Puts the script in the place of what its table had, without a gap, and reads it back.
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError>;

    /// A table that is not there needs no removing.
    fn remove(&mut self, table: Table) -> Result<(), FirewallError>;

    /// Whether the table is as [`replace`](Firewall::replace) left it. Asked every few seconds.
    fn state(&mut self, _: Table) -> Result<State, FirewallError> {
        Ok(State::Intact)
    }

    /// What the counters of the redirect table have counted, by their names.
    fn counters(&mut self) -> Result<BTreeMap<String, Count>, FirewallError> {
        Ok(BTreeMap::new())
    }

    /// These take the new way from now on: what the kernel remembers of them is dropped.
    fn forget(&mut self, _: &Stale) {}

    /// By which means rules can get into this kernel. `iptables`: it is looked for even where nft can do all.
    fn means(&mut self, _iptables: bool) -> Means {
        Means::default()
    }

    /// The redirect rules of both families for machines without nft.
    fn replace_iptables(&mut self, _: &[Lines; 2]) -> Result<(), FirewallError> {
        Err(FirewallError::Refused("no iptables here".into()))
    }

    fn remove_iptables(&mut self) -> Result<(), FirewallError> {
        Ok(())
    }

    fn iptables_state(&mut self, _: &[Lines; 2]) -> Result<State, FirewallError> {
        Ok(State::Intact)
    }

    /// A device, and what is sent to it from now on.
    fn open_udp(&mut self, _: &Way) -> Result<Device, FirewallError> {
        Err(FirewallError::Refused("no devices for UDP here".into()))
    }

    /// Other routes to a device (by its number).
    fn change_udp(&mut self, _: &Way, _device: u32) -> Result<(), FirewallError> {
        Ok(())
    }

    /// The device goes, and all that leads to it. One that is gone needs no removing.
    fn close_udp(&mut self, _: &Way, _device: u32) -> Result<(), FirewallError> {
        Ok(())
    }

    /// Other from one boot of the system to the next.
    fn boot(&self) -> String {
        String::new()
    }
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Intact,
    /// There is none.
    Gone,
    /// There is one, and it is not, or not only, what this process loaded.
    Changed,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirewallError {
    #[error("another helper owns the table")]
    Busy,
    /// Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// It was loaded, and it is not what was wanted.
    #[error("the table reads back differently: {0}")]
    Differs(String),
}
