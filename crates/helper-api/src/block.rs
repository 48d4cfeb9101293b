//! What stays closed while a tunnel is down.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    list::limited,
    plan::{self, Capture, PlanError, Route},
};

/// Names what one profile of one user keeps closed, over crashes and restarts of its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub u64);

/// Networks that are rejected at once (TCP reset, ICMP "administratively prohibited") unless a tunnel captures what
/// goes there. What belongs to the tunnel itself passes: the cgroup, marked sockets, endpoints, and what a network
/// needs to exist (neighbour discovery, DHCP).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    pub id: BlockId,
    /// A route with all ports closes every protocol, one with a port range closes TCP and UDP.
    #[serde(deserialize_with = "limited::<_, _, { plan::limit::ROUTES }>")]
    pub include: Vec<Route>,
    #[serde(deserialize_with = "limited::<_, _, { plan::limit::ROUTES }>")]
    pub exclude: Vec<Route>,
    /// Whose traffic; not [`Capture::Cgroup`], which does not outlive its programs.
    pub capture: Capture,
    /// Always open: the ssh server's known addresses.
    #[serde(deserialize_with = "limited::<_, _, { plan::limit::ENDPOINTS }>")]
    pub endpoints: Vec<SocketAddr>,
    /// Whether DNS (UDP and TCP port 53) is closed as well, because the tunnel captures it; else it passes.
    pub dns: bool,
    /// A descriptor of the cgroup whose sockets always pass comes with the message.
    pub direct_cgroup: bool,
}

impl Block {
    /// Checks every limit and every promise of the types.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.capture == Capture::Cgroup {
            return Err(PlanError::BlockedCgroup);
        }
        plan::check_routes([&self.include, &self.exclude])?;
        plan::check_endpoints(&self.endpoints)
    }
}
