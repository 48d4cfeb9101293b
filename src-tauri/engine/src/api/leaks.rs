use serde::{Deserialize, Serialize};

/// What went around a tunnel although it went to its networks, since it was switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Leaks {
    pub udp: LeakCount,
    /// Of connections that were open before.
    pub tcp: LeakCount,
    /// Pings, mostly.
    pub icmp: LeakCount,
    pub other: LeakCount,
    /// All of it in words; empty when there is nothing.
    pub sentence: String,
}

/// Bytes are with the packets' headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LeakCount {
    #[cfg_attr(test, ts(type = "number"))]
    pub packets: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes: u64,
}
