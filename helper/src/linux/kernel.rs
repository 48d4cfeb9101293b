//! The kernel's side of the rules.

use crate::rules::{Firewall, FirewallError, Script, State, Table};

use super::{conntrack, table::KernelTable};

/// Both tables; nothing is opened before it is needed.
pub struct Kernel {
    redirect: KernelTable,
    block: KernelTable,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { redirect: KernelTable::new(Table::Redirect), block: KernelTable::new(Table::Block) }
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

    fn forget_dns_flows(&mut self) {
        if let Err(error) = conntrack::forget_dns_flows() {
            tracing::warn!(%error, "open questions to name servers go on as they began");
        }
    }

    /// One that the kernel does not tell is the same at every boot: then only the table says whether blocks are old.
    fn boot(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}
