//! The messages between the engine (any user) and the helper (root): values that say what is wanted, never a
//! rule, a command or a path. Both sides use this crate; it does no privileged work and opens nothing.
//!
//! Start with [`Request`]; [`Plan`] is the value that matters; `wire` frames them on a Unix socket; `bus` names the
//! D-Bus service that hands out such sockets.

pub mod block;
pub mod bus;
pub mod hosts;
mod list;
pub mod meter;
pub mod plan;
mod request;
pub mod wire;

use serde::{Deserialize, Serialize};

pub use block::{Block, BlockId};
pub use hosts::{HostEntry, HostRefusal, Hosts, RefusedHost};
pub use meter::{Count, Leaks};
pub use plan::{Capture, Dns, ListenerPorts, Method, Plan, PlanError, Ports, Reject, Route};

/// Two programs of one epoch work together. Counted up when a message changes its meaning.
pub const EPOCH: u16 = 1;

/// Counted up when something is added: fields that an older program ignores, requests that it answers with
/// [`HelperCode::Unsupported`].
pub const REVISION: u16 = 1;

/// The mark of sockets that must never be captured (`SO_MARK`, set by the helper on sockets it is handed).
pub const DIRECT_MARK: u32 = 0x5e;

/// Names one tunnel of one client. Chosen by the client, unique on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u32);

/// What a user may ask for, once an administrator has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Only what their own programs send.
    Own,
    /// The whole machine: everybody's traffic, DNS, host names, forwarded traffic.
    All,
}

/// What the engine asks. The first message on a connection is `Hello`; at EOF everything is undone but what a
/// [`Block`] keeps closed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Request {
    /// Both sides name their version; anything else before it is refused. `version` is for people, at most
    /// [`limit::VERSION`] bytes.
    Hello { epoch: u16, revision: u16, version: String },
    /// Installs the plan, or replaces what this session had, without a gap. Descriptors (`O_PATH`, cgroup folders)
    /// come along in this order: that of `plan.direct_cgroup`, that of `Capture::Cgroup`.
    Load { session: SessionId, plan: Plan },
    /// Removes what this session installed: rules, names, and what it kept closed.
    Unload { session: SessionId },
    /// Removes rules and names of this session; what it kept closed stays closed.
    Hold { session: SessionId },
    /// Keeps networks closed from now on, tunnel or not, also after a crash of anything. Replaces what the session,
    /// or an earlier one of this user with the same [`BlockId`], kept closed. One descriptor comes along
    /// when `block.direct_cgroup` is true.
    Block { session: SessionId, block: Block },
    /// The names of this session in the system's hosts file, all of them; an empty list removes them. Its plan must be
    /// loaded, because addresses are checked against its routes.
    SetHosts { session: SessionId, hosts: Hosts },
    /// Sets [`DIRECT_MARK`] on the one unconnected TCP or UDP socket that comes along.
    MarkSocket,
    /// What went around this session's tunnel, where its plan has a meter.
    Meter { session: SessionId },
    /// A device for the UDP datagrams and echo requests of a session whose plan is loaded: what goes to its networks can be
    /// read from it as IP packets, and answers be written to it. Closing it ends it, and so does the end of the plan. A
    /// second one takes the place of the first. Only for [`Capture::Everyone`] and [`Capture::User`]. (Revision 1.)
    OpenUdp { session: SessionId },
    /// What crashes left closed.
    Leftovers,
    /// Opens what crashes left closed: of this user, or of everybody (root only here; others ask over D-Bus).
    Restore { everybody: bool },
    /// What a newer revision may ask; answered with [`HelperCode::Unsupported`].
    Unknown,
}

/// All that comes from the helper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// One for each request, in order.
    Reply { reply: Reply },
    /// Unasked, at any time after the greeting.
    Notice { notice: Notice },
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Reply {
    Hello {
        epoch: u16,
        revision: u16,
        version: String,
        grant: Grant,
    },
    Done,
    /// The plan is in force.
    Loaded {
        /// By which means.
        method: Method,
        /// Routes of the plan that an earlier session has already: that one keeps them. At most
        /// [`limit::OVERLAPS`], in the order of the plan.
        overlaps: Vec<Overlap>,
    },
    /// The names are in force, but these.
    Hosts {
        refused: Vec<RefusedHost>,
    },
    /// Never less than before while the session is loaded, whatever becomes of the rules.
    Meter {
        leaks: Leaks,
    },
    /// The descriptor of the device comes along.
    Udp {
        /// Its name, for people.
        device: String,
    },
    /// How many profiles of this user, and of others, crashes left closed.
    Leftovers {
        mine: u32,
        others: u32,
    },
    Error(HelperError),
}

/// A route that two sessions want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    pub route: Route,
    pub holder: Holder,
}

/// Who has it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Holder {
    /// A session on this connection.
    Session { session: SessionId },
    /// Another connection of the same user.
    AnotherProgram,
    /// Nothing more is said of others.
    AnotherUser,
}

/// What the helper says unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Notice {
    /// Another program removed or changed rules of ours. Those of this connection's sessions are in force again when
    /// `mended`; else it ends.
    RulesGone { mended: bool },
    /// The helper's program was replaced by a newer one, which serves whoever connects after the last session of this
    /// one has ended; this one goes on until then, and then ends the connection.
    Replaced,
}

/// Why the helper did not do it. `code` is for programs, `detail` for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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
    /// A request that this revision or this system does not have (E-UNSUPPORTED).
    Unsupported,
    /// The user's grant does not cover it, or there is none (E-NOT-GRANTED).
    NotGranted,
    /// The plan is not acceptable; `detail` says which part (E-INTERNAL).
    Plan,
    /// The kernel refused the rules, or has no firewall that we can use (E-FIREWALL).
    Firewall,
    /// The hosts file could not be changed (E-HOSTS).
    Hosts,
    /// A descriptor is missing or is not what it should be (E-INTERNAL).
    Descriptor,
    /// Too many connections or sessions of this user (E-RESOURCES).
    Limit,
}

/// Limits that belong to no single value.
pub mod limit {
    /// Sessions of one user, over all their connections.
    pub const SESSIONS: usize = 64;
    /// Connections of one user: one for each engine process.
    pub const CONNECTIONS: usize = 16;
    /// Bytes of a version.
    pub const VERSION: usize = 64;
    /// Devices for UDP of one user: each profile that wants it has one, and every datagram of the computer passes their rules.
    pub const UDP_DEVICES: usize = 4;
    /// Overlaps that one reply names: more than a person reads.
    pub const OVERLAPS: usize = 100;
}
