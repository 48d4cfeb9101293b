//! The kernel's side of the rules.

use std::collections::BTreeMap;

use ropeway_helper_api::Count;

use crate::rules::{
    Firewall, FirewallError, Script, State, Table,
    iptables::Lines,
    method::Means,
    stale::Stale,
    udp::{Device, Way},
};

use super::{
    conntrack, iptables,
    table::{KernelTable, probe},
    udp,
};

/// Both tables; nothing is opened before it is needed.
pub struct Kernel {
    redirect: KernelTable,
    block: KernelTable,
    /// Looked for once, each when it matters.
    nft: Option<Result<(), String>>,
    iptables: Option<Result<(), String>>,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            redirect: KernelTable::new(Table::Redirect),
            block: KernelTable::new(Table::Block),
            nft: None,
            iptables: None,
        }
    }
}

impl Kernel {
    fn table(&mut self, table: Table) -> &mut KernelTable {
        match table {
            Table::Redirect => &mut self.redirect,
            Table::Block => &mut self.block,
        }
    }
}

impl Firewall for Kernel {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        self.table(script.table).replace(script)
    }

    fn remove(&mut self, table: Table) -> Result<(), FirewallError> {
        self.table(table).remove()
    }

    fn state(&mut self, table: Table) -> Result<State, FirewallError> {
        self.table(table).state()
    }

    fn counters(&mut self) -> Result<BTreeMap<String, Count>, FirewallError> {
        self.redirect.counters()
    }

    fn forget(&mut self, stale: &Stale) {
        if let Err(error) = conntrack::forget(stale) {
            tracing::warn!(%error, "what is under way goes on as it began");
        }
    }

    fn means(&mut self, iptables: bool) -> Means {
        let nft = self.nft.get_or_insert_with(|| probe().map_err(|e| e.to_string())).clone();
        if !iptables && nft.is_ok() {
            return Means { nft, ..Means::default() };
        }
        let iptables = self.iptables.get_or_insert_with(iptables::look_for).clone();
        Means { nft, iptables }
    }

    fn replace_iptables(&mut self, lines: &[Lines; 2]) -> Result<(), FirewallError> {
        iptables::replace(lines)
    }

    fn remove_iptables(&mut self) -> Result<(), FirewallError> {
        iptables::remove()
    }

    fn iptables_state(&mut self, lines: &[Lines; 2]) -> Result<State, FirewallError> {
        iptables::state(lines)
    }

    fn open_udp(&mut self, way: &Way) -> Result<Device, FirewallError> {
        udp::open(way)
    }

    fn change_udp(&mut self, way: &Way, device: u32) -> Result<(), FirewallError> {
        udp::change(way, device)
    }

    fn close_udp(&mut self, way: &Way, device: u32) -> Result<(), FirewallError> {
        udp::close(way, device)
    }

    /// One that the kernel does not tell is the same at every boot: then only the table says whether blocks are old.
    fn boot(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}
