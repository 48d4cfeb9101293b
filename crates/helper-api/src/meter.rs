//! What went around a tunnel although it went to the tunnel's networks.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Since the session was loaded, by what it was. Not what was refused, captured, exempt or for this machine, no
/// answers to what came in. What is forwarded counts where the plan names its interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaks {
    pub udp: Count,
    /// Of connections that were open before the rules came.
    pub tcp: Count,
    /// Of both families.
    pub icmp: Count,
    pub other: Count,
}

/// Packets, and their bytes with the headers of IP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

impl AddAssign for Leaks {
    fn add_assign(&mut self, more: Self) {
        self.udp += more.udp;
        self.tcp += more.tcp;
        self.icmp += more.icmp;
        self.other += more.other;
    }
}

impl AddAssign for Count {
    /// A number at its end stays there: nobody should fall over it.
    fn add_assign(&mut self, more: Self) {
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}
