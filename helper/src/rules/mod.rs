//! Which sessions and blocks there are, and one table for all of each. Knows neither sockets nor clients' manners.
//!
//! Start with [`Rules::load`] (`sessions`) and `blocks`. `render`, `block`, `overlap` and what they use (`flatten`,
//! `scope`, `exempt`, `dns`, `router`, `leaving`, `reject`, `meter`, `script`), `stale`, `method` and `iptables` only
//! compute; what touches the kernel is behind [`Firewall`].

mod block;
mod blocks;
mod dns;
mod exempt;
mod firewall;
pub mod flatten;
pub mod iptables;
mod leaving;
mod meter;
pub mod method;
mod overlap;
mod reject;
mod render;
mod router;
mod scope;
pub mod script;
mod sessions;
mod share;
pub mod stale;
mod text;
pub mod udp;

use ropeway_helper_api::{Block, Grant, Method, Overlap, Plan, SessionId};

pub use block::render as render_blocks;
pub use firewall::{Firewall, FirewallError, State};
pub use flatten::TooManyPieces;
pub use overlap::overlaps;
pub use render::render;
pub use script::{Cgroup, Script, Table};
pub use sessions::Rules;

/// Counted up by the server, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A session's name among those of all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub client: ClientId,
    pub session: SessionId,
}

/// What one session wants: its plan, valid, who wants it, and the cgroups that its descriptors named.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    pub plan: Plan,
    pub uid: u32,
    pub grant: Grant,
    /// Where `plan.direct_cgroup` is true.
    pub direct_cgroup: Option<Cgroup>,
    /// Where `plan.capture` is a cgroup.
    pub captured_cgroup: Option<Cgroup>,
    /// Names its counters; [`Rules::load`] gives it one where `plan.meter` is true.
    pub meter: Option<u64>,
}

/// What one session keeps closed: valid, as in [`SessionPlan`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SessionBlock {
    pub block: Block,
    pub uid: u32,
    pub grant: Grant,
    pub direct_cgroup: Option<Cgroup>,
}

/// How a plan came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub method: Method,
    pub overlaps: Vec<Overlap>,
}

/// Another program removed or changed what these clients had in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Each once.
    pub clients: Vec<ClientId>,
    /// Whether it is in force again.
    pub mended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Plan(#[from] TooManyPieces),
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// Not even what was there before could be restored, so all of it was removed.
    #[error("all rules were lost: {0}")]
    Lost(FirewallError),
    /// Not by the means that this machine, or the plan, leaves.
    #[error("{0}")]
    Unsupported(String),
    #[error("this user keeps too many networks closed")]
    TooManyBlocks,
    #[error("the port ranges of this user are too many together")]
    TooManySets,
    #[error("a device for UDP of a session without a plan")]
    NoSession,
    #[error("too many devices for UDP")]
    TooManyDevices,
    #[error("another tunnel of this user keeps the same closed")]
    Taken,
    #[error("what an earlier helper left closed is not known; it has to be opened first")]
    Unknown,
    /// What is kept closed could not be written down, so nothing was changed.
    #[error("the list of blocks: {0}")]
    Store(String),
}

impl SessionPlan {
    fn who(&self) -> scope::Who {
        let Self { uid, grant, captured_cgroup: cgroup, .. } = *self;
        scope::Who { capture: self.plan.capture, cgroup, uid, grant }
    }
}
