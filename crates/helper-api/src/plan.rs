//! What a session wants captured.

use std::{collections::BTreeSet, net::SocketAddr, ops::RangeInclusive};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The wish of one session. The most specific route of all sessions wins (narrower ports first, then the longer
/// prefix); at a tie an exclusion wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub include: Vec<Route>,
    pub exclude: Vec<Route>,
    /// Where captured connections go.
    pub listeners: ListenerPorts,
    /// Whose connections are captured.
    pub capture: Capture,
    /// Always direct: the ssh server's known addresses.
    pub endpoints: Vec<SocketAddr>,
    /// A descriptor of the cgroup whose sockets are never captured comes with the message.
    pub direct_cgroup: bool,
}

/// A network, and the TCP ports of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub net: IpNet,
    #[serde(default, skip_serializing_if = "Ports::is_all")]
    pub ports: Ports,
}

/// First and last port, `0..=65535` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

/// The listener's ports on loopback, one range for each family that has a listener. A range, because with a
/// single port NAT rewrites clients' source ports, and then nobody can tell whose connection it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerPorts {
    pub v4: Option<Ports>,
    pub v6: Option<Ports>,
}

/// Whose connections are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Capture {
    Everyone,
    /// Only connections of this user.
    User {
        uid: u32,
    },
}

/// Limits: a plan beyond them is refused, whoever sends it.
pub mod limit {
    /// Routes (include plus exclude) of one plan: DESIGN asks for 50 000 prefixes to be quick; twice that.
    pub const ROUTES: usize = 100_000;
    /// Endpoints of one plan: every address of every hop, with room to spare.
    pub const ENDPOINTS: usize = 256;
    /// Different port ranges in the routes of one plan. Each becomes a rule that every new connection passes (10 000
    /// rules cost a connection 0.3 ms).
    pub const PORT_RANGES: usize = 256;
    /// Sessions of one client.
    pub const SESSIONS: usize = 64;
}

/// Why a plan is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("{0} routes, at most {max} are allowed", max = limit::ROUTES)]
    TooManyRoutes(usize),
    #[error("{0} endpoints, at most {max} are allowed", max = limit::ENDPOINTS)]
    TooManyEndpoints(usize),
    #[error("{0} different port ranges, at most {max} are allowed", max = limit::PORT_RANGES)]
    TooManyPortRanges(usize),
    #[error("ports {first}-{last} are not a range")]
    Ports { first: u16, last: u16 },
    #[error("listener ports {first}-{last} are not 1 to 64 unprivileged ports")]
    Listener { first: u16, last: u16 },
    #[error("{0} has bits set behind its prefix")]
    HostBits(IpNet),
    #[error("a route of a family for which there is no listener: {0}")]
    NoListener(IpNet),
}

impl Ports {
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    pub fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::ALL
    }
}

impl From<IpNet> for Route {
    fn from(net: IpNet) -> Self {
        Self { net, ports: Ports::ALL }
    }
}

impl Plan {
    /// Checks every limit and every promise of the types. Both sides call it: the engine to fail early, the
    /// helper because it believes nobody.
    pub fn validate(&self) -> Result<(), PlanError> {
        self.check_counts()?;
        self.listeners.validate()?;
        self.routes().try_for_each(Route::validate)?;
        match self.include.iter().find(|route| self.listeners.of(route.net).is_none()) {
            Some(route) => Err(PlanError::NoListener(route.net)),
            None => Ok(()),
        }
    }

    fn routes(&self) -> impl Iterator<Item = &Route> {
        self.include.iter().chain(&self.exclude)
    }

    fn check_counts(&self) -> Result<(), PlanError> {
        let routes = self.include.len() + self.exclude.len();
        if routes > limit::ROUTES {
            return Err(PlanError::TooManyRoutes(routes));
        }
        if self.endpoints.len() > limit::ENDPOINTS {
            return Err(PlanError::TooManyEndpoints(self.endpoints.len()));
        }
        let ranges = self.routes().map(|route| route.ports).collect::<BTreeSet<_>>().len();
        if ranges > limit::PORT_RANGES {
            return Err(PlanError::TooManyPortRanges(ranges));
        }
        Ok(())
    }
}

impl Route {
    fn validate(&self) -> Result<(), PlanError> {
        let Ports { first, last } = self.ports;
        if last < first {
            return Err(PlanError::Ports { first, last });
        }
        if self.net.trunc() != self.net {
            return Err(PlanError::HostBits(self.net));
        }
        Ok(())
    }
}

impl ListenerPorts {
    fn validate(&self) -> Result<(), PlanError> {
        for Ports { first, last } in [self.v4, self.v6].into_iter().flatten() {
            if first < 1024 || last < first || last - first >= 64 {
                return Err(PlanError::Listener { first, last });
            }
        }
        Ok(())
    }

    fn of(&self, net: IpNet) -> Option<Ports> {
        match net {
            IpNet::V4(_) => self.v4,
            IpNet::V6(_) => self.v6,
        }
    }
}
