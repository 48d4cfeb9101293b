use serde::{Deserialize, Serialize};

use super::ProfileId;

/// One connection through (or kept out of) a tunnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRow {
    /// Unique in this engine's life.
    #[cfg_attr(test, ts(type = "number"))]
    pub id: u64,
    pub profile: ProfileId,
    /// Name of the program that opened it; None while unknown.
    pub app: Option<String>,
    pub pid: Option<u32>,
    /// Name of the user whose program it is, or the number where it has no name; None while unknown.
    pub user: Option<String>,
    /// Where it wanted to go.
    pub address: String,
    pub port: u16,
    /// The target's name, when known.
    pub host: Option<String>,
    /// The subnet of the profile that took it, as typed.
    pub rule: String,
    /// Bytes from the program to the target, and back.
    #[cfg_attr(test, ts(type = "number"))]
    pub up: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub down: u64,
    /// Bytes per second now.
    #[cfg_attr(test, ts(type = "number"))]
    pub up_rate: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub down_rate: u64,
    /// Milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub opened: u64,
    #[cfg_attr(test, ts(type = "number | null"))]
    pub closed: Option<u64>,
    pub state: ConnectionState,
}

/// How a connection stands or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    Opening,
    Open,
    /// One direction is done.
    Closing,
    /// Both directions ended in order.
    Closed,
    Refused,
    Unreachable,
    TimedOut,
    /// The server forbids it.
    Prohibited,
    /// Cut short by the program, the target or the user.
    Reset,
    /// Cut short because the tunnel went down.
    Lost,
    /// Ours, sent around the tunnel.
    Direct,
    Failed,
}

/// What changed since the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionsDelta {
    /// Forget all rows first: this is the first of a subscription.
    pub snapshot: bool,
    pub changed: Vec<ConnectionRow>,
    /// Closed rows that are no longer kept.
    #[cfg_attr(test, ts(type = "number[]"))]
    pub gone: Vec<u64>,
    /// One for each profile that is not off.
    pub totals: Vec<Totals>,
}

/// Sums over all connections of a profile since it connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub profile: ProfileId,
    #[cfg_attr(test, ts(type = "number"))]
    pub up: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub down: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub up_rate: u64,
    #[cfg_attr(test, ts(type = "number"))]
    pub down_rate: u64,
    pub active: u32,
    pub closed: u32,
}
