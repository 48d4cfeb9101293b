use serde::{Deserialize, Serialize};

use super::{Failure, ProfileId};

/// The state of one profile, as every face renders it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags that are independent of each other, as faces show them"
)]
pub struct Status {
    pub profile: ProfileId,
    pub phase: Phase,
    /// Connected, but the path is slow or a part of it does not work.
    pub degraded: bool,
    /// Connected, but no answer from the agent yet, or none for a while.
    pub unverified: bool,
    /// Traffic to the networks is held while it is down.
    pub blocking: bool,
    /// The profile says something else of its server, of ssh or of whose traffic than what runs: it needs to connect anew.
    pub outdated: bool,
    /// The state in words: "Connected", "Reconnecting (2nd try, in 8 s)".
    pub words: String,
    /// What it does for the user: "Traffic to 3 networks goes through bastion.example.org."
    pub sentence: String,
    /// Since when it is in this phase, milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// The current try, 0 when connected or off.
    pub attempt: u32,
    /// When it is tried again, milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub next_retry: Option<u64>,
    /// Why it is not connected, or why it was lost.
    pub failure: Option<Failure>,
    /// Networks that another tunnel has already, and keeps.
    pub conflicts: Vec<Conflict>,
    /// Last measured round trip to the agent inside the tunnel, microseconds.
    pub round_trip: Option<u32>,
}

/// A network of this profile that goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// As typed.
    pub subnet: String,
    /// "Work", "another program of yours", "another user of this computer".
    pub holder: String,
}

/// The base states; `Status`'s flags refine them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Off,
    Connecting,
    Reconnecting,
    Waiting,
    Connected,
    Paused,
    NeedsYou,
    Error,
    SetUp,
}
