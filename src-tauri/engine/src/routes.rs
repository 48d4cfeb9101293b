//! From a profile's networks to the plan for the helper, and from a connection back to the network that took it.

use std::net::SocketAddr;

use ipnet::IpNet;
use ropeway_helper_api::{Capture, ListenerPorts, Plan, Reject, Route};

use crate::{profile::Parsed, subnet::Subnet};

impl Parsed {
    /// What the helper is asked for. Networks of a family for which this computer has no listener are left out:
    /// it has no such addresses to connect from either.
    pub fn plan(&self, listeners: ListenerPorts, capture: Capture, direct_cgroup: bool) -> Plan {
        let served = |route: &Route| match route.net {
            IpNet::V4(_) => listeners.v4.is_some(),
            IpNet::V6(_) => listeners.v6.is_some(),
        };
        let include = routes(&self.include).filter(served).collect();
        let exclude = routes(&self.exclude).filter(served).collect();
        Plan {
            include,
            exclude,
            listeners,
            capture,
            endpoints: vec![],
            direct_cgroup,
            dns: None,
            forwarded: vec![],
            method: None,
            reject: Reject::default(),
            meter: true,
        }
    }

    /// For asking which network took a connection.
    pub fn rules(&self) -> Rules {
        let all = self
            .include
            .iter()
            .flat_map(|(typed, subnet)| subnet.routes().map(move |route| (route, typed.clone())));
        let mut sorted: Vec<_> = all.collect();
        sorted.sort_by_key(|(route, _)| {
            (route.ports.last - route.ports.first, u8::MAX - route.net.prefix_len())
        });
        Rules { sorted }
    }
}

/// A profile's networks, the narrowest ports first, then the longest prefix: the first that matches is the one.
#[derive(Debug)]
pub struct Rules {
    sorted: Vec<(Route, String)>,
}

impl Rules {
    /// The network, as typed, that takes this target.
    pub fn taking(&self, target: SocketAddr) -> Option<&str> {
        let (ip, port) = (target.ip().to_canonical(), target.port());
        let matches = |route: &Route| route.net.contains(&ip) && route.ports.range().contains(&port);
        self.sorted.iter().find(|(route, _)| matches(route)).map(|(_, typed)| typed.as_str())
    }
}

/// All routes of these networks.
pub fn routes(subnets: &[(String, Subnet)]) -> impl Iterator<Item = Route> + '_ {
    subnets.iter().flat_map(|(_, subnet)| subnet.routes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Profile, profile};

    fn parsed(subnets: &[&str]) -> Parsed {
        let subnets = subnets.iter().map(ToString::to_string).collect();
        profile::parse(&Profile { name: "test".into(), server: "host".into(), subnets, ..Profile::default() })
            .unwrap()
    }

    #[test]
    fn the_most_specific_network_is_named() {
        let rules = parsed(&["0/0", "10/8", "10.1/16:443", "fd00::/8"]).rules();
        for (target, rule) in [
            ("10.1.2.3:443", Some("10.1/16:443")),
            ("10.1.2.3:80", Some("10/8")),
            ("192.0.2.1:80", Some("0/0")),
            ("[fd00::1]:80", Some("fd00::/8")),
            ("[2001:db8::1]:80", None),
        ] {
            assert_eq!(rules.taking(target.parse().unwrap()), rule, "{target}");
        }
    }

    #[test]
    fn a_family_without_a_listener_is_left_out() {
        let listeners =
            ListenerPorts { v4: Some(ropeway_helper_api::Ports { first: 12300, last: 12307 }), v6: None };
        let plan = parsed(&["10/8", "::/0"]).plan(listeners, Capture::Everyone, false);
        assert_eq!(plan.include.len(), 1);
        plan.validate().unwrap();
    }
}
