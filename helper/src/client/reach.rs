//! Which addresses a plan carries.

use std::net::IpAddr;

use ropeway_helper_api::{Plan, Route};

/// Whether something at this address is reached through the session, on some port. As everywhere the narrower port
/// range wins, then the longer prefix, at a tie the exclusion; so only an exclusion of the very ports of an inclusion
/// takes the address away from it.
pub fn reaches(plan: &Plan, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let holds = |route: &&Route| route.net.contains(&address);
    let excludes = |include: &Route, exclude: &Route| {
        exclude.ports == include.ports && exclude.net.prefix_len() >= include.net.prefix_len()
    };
    plan.include
        .iter()
        .filter(holds)
        .any(|include| !plan.exclude.iter().filter(holds).any(|exclude| excludes(include, exclude)))
}

#[cfg(test)]
mod tests {
    use ropeway_helper_api::{Capture, ListenerPorts, Ports, Reject};

    use super::*;

    fn plan(include: &[&str], exclude: &[&str]) -> Plan {
        Plan {
            include: include.iter().map(|text| route(text)).collect(),
            exclude: exclude.iter().map(|text| route(text)).collect(),
            listeners: ListenerPorts { v4: None, v6: None },
            capture: Capture::Everyone,
            endpoints: vec![],
            direct_cgroup: false,
            dns: None,
            forwarded: vec![],
            method: None,
            reject: Reject::default(),
            meter: false,
        }
    }

    /// `10.0.0.0/8` or `10.0.0.0/8:80`.
    fn route(text: &str) -> Route {
        let (net, port) = text.rsplit_once(" port ").map_or((text, None), |(net, port)| (net, Some(port)));
        let ports = port.map_or(Ports::ALL, |port| {
            let port = port.parse().unwrap();
            Ports { first: port, last: port }
        });
        Route { net: net.parse().unwrap(), ports }
    }

    #[test]
    fn the_most_specific_route_decides() {
        let table: [(&[&str], &[&str], &str, bool); 10] = [
            (&["10.0.0.0/8"], &[], "10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "11.0.0.1", false),
            (&[], &[], "10.0.0.1", false),
            (&["0.0.0.0/0"], &["10.0.0.0/8"], "10.0.0.1", false),
            (&["0.0.0.0/0", "10.1.0.0/16"], &["10.0.0.0/8"], "10.1.0.1", true),
            (&["10.0.0.0/8"], &["10.0.0.0/8"], "10.0.0.1", false),
            // ssh alone goes direct, and a web server alone is carried
            (&["10.0.0.0/8"], &["10.0.0.5/32 port 22"], "10.0.0.5", true),
            (&["10.0.0.5/32 port 80"], &["10.0.0.0/8"], "10.0.0.5", true),
            (&["fd00::/8"], &[], "fd00::1", true),
            (&["10.0.0.0/8"], &[], "::ffff:10.0.0.1", true),
        ];
        for (include, exclude, address, expected) in table {
            let reached = reaches(&plan(include, exclude), address.parse().unwrap());
            assert_eq!(reached, expected, "{address} in {include:?} without {exclude:?}");
        }
    }
}
