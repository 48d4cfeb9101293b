//! The messages between the engine (any user) and the helper (root): values that say what is wanted, never a
//! rule, a command or a path. Both sides use this crate; it does no privileged work and opens nothing.
//!
//! Start with [`Request`]; [`Plan`] is the value that matters; `wire` frames them on a Unix socket.

pub mod plan;
pub mod wire;

use serde::{Deserialize, Serialize};

pub use plan::{Capture, ListenerPorts, Plan, PlanError, Ports, Route};

/// Two programs of one epoch work together. Counted up when a message changes its meaning.
pub const EPOCH: u16 = 1;

/// Counted up when something is added that older programs may ignore.
pub const REVISION: u16 = 0;

/// The mark of sockets that must never be captured (`SO_MARK`, set by the helper on sockets it is handed).
pub const DIRECT_MARK: u32 = 0x5e;

/// Names one tunnel of one client. Chosen by the client, unique on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u32);

/// What the engine asks. The first message on a connection is `Hello`; everything is undone at EOF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Both sides name their version; anything else before it is refused.
    Hello { epoch: u16, revision: u16 },
    /// Installs the plan, or replaces what this session had, in one transaction. When `plan.direct_cgroup`
    /// is true, exactly one descriptor comes along: the folder (`O_PATH`) of the cgroup that is never captured.
    Load { session: SessionId, plan: Plan },
    /// Removes what this session installed.
    Unload { session: SessionId },
    /// Sets [`DIRECT_MARK`] on the one unconnected TCP or UDP socket that comes along.
    MarkSocket,
}

/// What the helper answers, one for each request, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    Hello { epoch: u16, revision: u16 },
    Done,
    Error(HelperError),
}

/// Why the helper did not do it. `code` is for programs, `detail` for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{code:?}: {detail}")]
pub struct HelperError {
    pub code: HelperCode,
    pub detail: String,
}

/// Stable names of the helper's refusals; the engine maps each to a `Failure` code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelperCode {
    /// Another helper owns the table (E-HELPER-BUSY).
    Busy,
    /// Other epoch (E-HELPER-OLD).
    Version,
    /// The message was no message (E-INTERNAL).
    Malformed,
    /// The plan is not acceptable; `detail` says which part (E-INTERNAL).
    Plan,
    /// The kernel refused the rules, or has no `nf_tables` (E-FIREWALL).
    Firewall,
    /// A descriptor is missing or is not what it should be (E-INTERNAL).
    Descriptor,
}
