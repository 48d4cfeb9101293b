//! What the helper is asked for. Pure.

use ipnet::IpNet;
use ropeway_agent_api::Routes;
use ropeway_helper_api::{Capture, Dns, ListenerPorts, Plan, Reject, Route};

use super::Effective;
use crate::{routes::routes, subnet::Subnet};

/// What stays the same as long as the tunnel is up.
#[derive(Debug, Clone)]
pub struct Shape {
    pub listeners: ListenerPorts,
    /// Where questions to name servers go.
    pub names_v4: Option<u16>,
    pub names_v6: Option<u16>,
    pub capture: Capture,
    pub direct_cgroup: bool,
    /// The user of this computer's own resolver, where there is one.
    pub resolver: Option<u32>,
}

impl Shape {
    /// Networks of a family for which this computer has no listener are left out: it has no such addresses to connect from
    /// either.
    pub fn plan(&self, effective: &Effective) -> Plan {
        let served = |route: &Route| match route.net {
            IpNet::V4(_) => self.listeners.v4.is_some(),
            IpNet::V6(_) => self.listeners.v6.is_some(),
        };
        let of = |subnets: Vec<_>| {
            let mut all: Vec<Route> = routes(&subnets).filter(served).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let dns = effective.parsed().names.dns.as_ref();
        let Carried { through, refused } = carried(effective.include(), effective.routes());
        Plan {
            include: of(through),
            exclude: of(effective.exclude()),
            listeners: self.listeners.clone(),
            capture: self.capture,
            endpoints: vec![],
            direct_cgroup: self.direct_cgroup,
            dns: dns.map(|dns| Dns {
                servers: dns.asked.clone(),
                v4: self.names_v4,
                v6: self.names_v6,
                resolver: self.resolver,
            }),
            forwarded: effective.forwarded().to_vec(),
            method: None,
            reject: Reject {
                networks: of(refused),
                quic: !effective.parsed().reach.udp,
                dns_over_tls: dns.is_some(),
            },
            meter: true,
        }
    }
}

/// What the server can carry, and what it cannot.
#[derive(Debug, PartialEq, Eq)]
struct Carried {
    through: Vec<(String, Subnet)>,
    /// Refused here at once, so that programs turn to the other family instead of waiting for nobody.
    refused: Vec<(String, Subnet)>,
}

/// A server without a default route of a family carries what its own networks are of that family, and refuses the rest.
fn carried(include: Vec<(String, Subnet)>, routes: Option<&Routes>) -> Carried {
    let mut carried = Carried { through: vec![], refused: vec![] };
    for (word, subnet) in include {
        let net = subnet.net();
        let everything = routes.is_none_or(|routes| match net {
            IpNet::V4(_) => routes.default_v4,
            IpNet::V6(_) => routes.default_v6,
        });
        let known = || routes.into_iter().flat_map(|routes| &routes.networks);
        if everything || known().any(|other| other.contains(&net)) {
            carried.through.push((word, subnet));
            continue;
        }
        let parts = known().filter(|other| net.contains(*other)).map(|other| subnet.narrowed(*other));
        carried.through.extend(parts.map(|part| (word.clone(), part)));
        carried.refused.push((word, subnet));
    }
    carried
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ropeway_helper_api::Ports;

    use super::*;
    use crate::{
        api::{Names, Profile},
        profile,
    };

    #[test]
    fn a_family_without_a_default_route_is_refused_but_for_what_the_server_knows() {
        let include = |texts: &[&str]| -> Vec<(String, Subnet)> {
            texts.iter().map(|text| (text.to_string(), crate::subnet::parse(text).unwrap())).collect()
        };
        let routes = Routes {
            default_v4: true,
            networks: ["fd20::/48", "10.0.0.0/8"].map(|net| net.parse().unwrap()).to_vec(),
            ..Routes::default()
        };
        let all = include(&["0/0", "[::/0]:443", "fd20::5", "fd30::/32"]);
        let words = |list: &[(String, Subnet)]| -> Vec<String> {
            list.iter().map(|(_, subnet)| subnet.to_string()).collect()
        };
        let Carried { through, refused } = carried(all.clone(), Some(&routes));
        assert_eq!(words(&through), ["0.0.0.0/0", "[fd20::/48]:443", "fd20::5"]);
        assert_eq!(words(&refused), ["[::/0]:443", "fd30::/32"]);
        let unknown = carried(all.clone(), None);
        assert_eq!(
            (unknown.through, unknown.refused),
            (all, vec![]),
            "nothing is refused before it is known"
        );
    }

    #[test]
    fn a_family_without_a_listener_is_left_out() {
        let typed = Profile {
            name: "test".into(),
            subnets: vec!["10/8".into(), "::/0".into()],
            names: Names { dns: true, ns_hosts: vec!["192.0.2.53".into()], ..Names::default() },
            ..Profile::default()
        };
        let shape = Shape {
            listeners: ListenerPorts { v4: Some(Ports { first: 12300, last: 12307 }), v6: None },
            names_v4: Some(20400),
            names_v6: None,
            capture: Capture::Everyone,
            direct_cgroup: false,
            resolver: Some(971),
        };
        let plan = shape.plan(&Effective::new(Arc::new(profile::parse(&typed).unwrap())));
        assert_eq!(plan.include.len(), 1);
        assert_eq!(plan.dns.as_ref().map(|dns| (dns.servers.len(), dns.v4)), Some((1, Some(20400))));
        plan.validate().unwrap();
    }
}
