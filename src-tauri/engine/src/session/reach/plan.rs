//! What the helper is asked for. Pure.

use ipnet::IpNet;
use ropeway_helper_api::{Capture, Dns, ListenerPorts, Plan, Route};

use super::Effective;
use crate::routes::routes;

/// What stays the same as long as the tunnel is up.
#[derive(Debug, Clone)]
pub struct Shape {
    pub listeners: ListenerPorts,
    /// Where questions to name servers go.
    pub names_v4: Option<u16>,
    pub names_v6: Option<u16>,
    pub capture: Capture,
    pub direct_cgroup: bool,
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
        Plan {
            include: of(effective.include()),
            exclude: of(effective.exclude()),
            listeners: self.listeners.clone(),
            capture: self.capture,
            endpoints: vec![],
            direct_cgroup: self.direct_cgroup,
            dns: dns.map(|dns| Dns { servers: dns.asked.clone(), v4: self.names_v4, v6: self.names_v6 }),
            forwarded: vec![],
            method: None,
        }
    }
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
        };
        let plan = shape.plan(&Effective::new(Arc::new(profile::parse(&typed).unwrap())));
        assert_eq!(plan.include.len(), 1);
        assert_eq!(plan.dns.as_ref().map(|dns| (dns.servers.len(), dns.v4)), Some((1, Some(20400))));
        plan.validate().unwrap();
    }
}
