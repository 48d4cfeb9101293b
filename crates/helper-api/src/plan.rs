//! What a session wants captured.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::list::limited;

/// The wish of one session. The most specific route of all sessions wins (narrower ports first, then the longer
/// prefix); at a tie an exclusion wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    #[serde(deserialize_with = "limited::<_, _, { limit::ROUTES }>")]
    pub include: Vec<Route>,
    #[serde(deserialize_with = "limited::<_, _, { limit::ROUTES }>")]
    pub exclude: Vec<Route>,
    /// Where captured connections go.
    pub listeners: ListenerPorts,
    /// Whose connections are captured.
    pub capture: Capture,
    /// Always direct: the ssh server's known addresses.
    #[serde(deserialize_with = "limited::<_, _, { limit::ENDPOINTS }>")]
    pub endpoints: Vec<SocketAddr>,
    /// A descriptor of the cgroup whose sockets are never captured comes with the message.
    pub direct_cgroup: bool,
    /// DNS as well. Needs [`Grant::All`](crate::Grant::All).
    #[serde(default)]
    pub dns: Option<Dns>,
    /// Interfaces (by index): what comes in there and goes to the networks is captured as well, and nothing else that
    /// is forwarded. Needs [`Grant::All`](crate::Grant::All), and listeners on all addresses.
    #[serde(default, deserialize_with = "limited::<_, _, { limit::INTERFACES }>")]
    pub forwarded: Vec<u32>,
    /// By which means; `None` lets the helper choose.
    #[serde(default)]
    pub method: Option<Method>,
    /// What would go around the tunnel, and is refused instead.
    #[serde(default)]
    pub reject: Reject,
    /// Count what goes around the tunnel all the same, for [`Request::Meter`](crate::Request::Meter). Every packet that this
    /// machine sends passes some rules more then (under 2 µs each). Not with [`Method::Iptables`].
    #[serde(default)]
    pub meter: bool,
}

/// What is refused at once, TCP by reset and the rest by ICMP "administratively prohibited", so that programs turn to
/// what the tunnel carries. Only new flows of those whose connections are captured; not what is exempt from capture,
/// what this machine needs to be in a network (neighbour discovery, DHCP), and what never leaves it (multicast,
/// broadcast, link-local addresses). What any session captures goes there, refused or not. Not with
/// [`Method::Iptables`], which passes it all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reject {
    /// Networks that the server cannot carry: `::/0` where it has no IPv6. A route with all ports means every protocol,
    /// one with a port range TCP and UDP. The plan's `exclude` counts here as well.
    #[serde(deserialize_with = "limited::<_, _, { limit::ROUTES }>")]
    pub networks: Vec<Route>,
    /// UDP port 443 to the networks that are captured: HTTP/3, in whose place a browser uses TCP.
    pub quic: bool,
    /// TCP port 853 to the name servers whose questions are captured, so that resolvers ask them in clear. Where no
    /// questions are captured, none; so not for what is forwarded.
    pub dns_over_tls: bool,
}

/// How rules get into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Our own table, which the kernel removes when the helper dies.
    Nft,
    /// `iptables-restore`, for kernels without `nf_tables` or owned tables: one session, TCP and DNS, no blocks.
    Iptables,
}

/// Questions to name servers, and where they go instead. TCP questions go to the plan's TCP listeners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Which name servers; empty for all of them, also on loopback. At most [`limit::DNS_SERVERS`].
    #[serde(deserialize_with = "limited::<_, _, { limit::DNS_SERVERS }>")]
    pub servers: Vec<IpAddr>,
    /// UDP listeners on loopback, for the family of the question.
    pub v4: Option<u16>,
    pub v6: Option<u16>,
    /// The user of this computer's own resolver (systemd-resolved): programs may ask it by other ways than packets, so what it
    /// asks itself is captured as well, whoever's connections are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<u32>,
}

/// A network, and the TCP ports of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    pub net: IpNet,
    #[serde(default, skip_serializing_if = "Ports::is_all")]
    pub ports: Ports,
}

/// First and last port, `0..=65535` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

/// The listener's ports on loopback, one range for each family that has a listener. A range, because with a
/// single port NAT rewrites clients' source ports, and then nobody can tell whose connection it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerPorts {
    pub v4: Option<Ports>,
    pub v6: Option<Ports>,
}

/// Whose connections are captured. Of several sessions the narrower scope is asked first, in the order cgroup, user,
/// group, everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", try_from = "CaptureText")]
pub enum Capture {
    /// Needs [`Grant::All`](crate::Grant::All).
    Everyone,
    /// Only connections of this user. Needs [`Grant::All`](crate::Grant::All) when it is another one.
    User { uid: u32 },
    /// Only connections of programs that run with this group. Needs [`Grant::All`](crate::Grant::All).
    Group { gid: u32 },
    /// Only connections of programs in the cgroup whose folder comes with the message. With
    /// [`Grant::Own`](crate::Grant::Own) it must belong to the user, and only this user's connections count.
    Cgroup,
}

/// What is read for a [`Capture`]; a struct, because an enum with a tag keeps what it does not know.
#[derive(Deserialize)]
struct CaptureText {
    #[serde(rename = "type")]
    kind: CaptureKind,
    uid: Option<u32>,
    gid: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CaptureKind {
    Everyone,
    User,
    Group,
    Cgroup,
}

impl TryFrom<CaptureText> for Capture {
    type Error = &'static str;

    fn try_from(text: CaptureText) -> Result<Self, Self::Error> {
        match text {
            CaptureText { kind: CaptureKind::Everyone, .. } => Ok(Self::Everyone),
            CaptureText { kind: CaptureKind::Cgroup, .. } => Ok(Self::Cgroup),
            CaptureText { kind: CaptureKind::User, uid: Some(uid), .. } => Ok(Self::User { uid }),
            CaptureText { kind: CaptureKind::Group, gid: Some(gid), .. } => Ok(Self::Group { gid }),
            CaptureText { kind: CaptureKind::User, .. } => Err("a user without a number"),
            CaptureText { kind: CaptureKind::Group, .. } => Err("a group without a number"),
        }
    }
}

/// Limits: a plan beyond them is refused, whoever sends it.
pub mod limit {
    /// Routes (include, exclude and reject together) of one plan: DESIGN asks for 50 000 prefixes to be quick; twice that.
    pub const ROUTES: usize = 100_000;
    /// Endpoints of one plan: every address of every hop, with room to spare.
    pub const ENDPOINTS: usize = 256;
    /// Different port ranges in the routes of one plan. Each becomes a rule that every new connection passes (10 000
    /// rules cost a connection 0.3 ms).
    pub const PORT_RANGES: usize = 256;
    /// Name servers of one plan: every link's, with room to spare.
    pub const DNS_SERVERS: usize = 64;
    /// Interfaces of one plan: every bridge of a busy container host.
    pub const INTERFACES: usize = 64;
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
    #[error("{0} name servers, at most {max} are allowed", max = limit::DNS_SERVERS)]
    TooManyDnsServers(usize),
    #[error("a listener for names on port {0}")]
    DnsListener(u16),
    #[error("{0} interfaces, at most {max} are allowed", max = limit::INTERFACES)]
    TooManyInterfaces(usize),
    #[error("interface 0")]
    Interface,
    #[error("only one user's or everybody's traffic can be kept closed, not a cgroup's")]
    BlockedCgroup,
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
        check_routes([&self.include, &self.exclude, &self.reject.networks])?;
        check_endpoints(&self.endpoints)?;
        self.listeners.validate()?;
        self.dns.iter().try_for_each(Dns::validate)?;
        self.check_interfaces()?;
        match self.include.iter().find(|route| self.listeners.of(route.net).is_none()) {
            Some(route) => Err(PlanError::NoListener(route.net)),
            None => Ok(()),
        }
    }

    fn check_interfaces(&self) -> Result<(), PlanError> {
        if self.forwarded.len() > limit::INTERFACES {
            return Err(PlanError::TooManyInterfaces(self.forwarded.len()));
        }
        if self.forwarded.contains(&0) { Err(PlanError::Interface) } else { Ok(()) }
    }
}

impl Dns {
    fn validate(&self) -> Result<(), PlanError> {
        if self.servers.len() > limit::DNS_SERVERS {
            return Err(PlanError::TooManyDnsServers(self.servers.len()));
        }
        match [self.v4, self.v6].into_iter().flatten().find(|port| *port < 1024) {
            Some(port) => Err(PlanError::DnsListener(port)),
            None => Ok(()),
        }
    }
}

pub(crate) fn check_endpoints(endpoints: &[SocketAddr]) -> Result<(), PlanError> {
    if endpoints.len() > limit::ENDPOINTS {
        return Err(PlanError::TooManyEndpoints(endpoints.len()));
    }
    Ok(())
}

pub(crate) fn check_routes<const LISTS: usize>(lists: [&[Route]; LISTS]) -> Result<(), PlanError> {
    let all = || lists.iter().copied().flatten();
    let routes = lists.iter().map(|list| list.len()).sum();
    if routes > limit::ROUTES {
        return Err(PlanError::TooManyRoutes(routes));
    }
    let ranges = all().map(|route| route.ports).collect::<BTreeSet<_>>().len();
    if ranges > limit::PORT_RANGES {
        return Err(PlanError::TooManyPortRanges(ranges));
    }
    all().try_for_each(Route::validate)
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
