//! From a profile's networks to the helper's routes, and from a connection back to the network that took it.

use std::net::SocketAddr;

use ropeway_helper_api::Route;

use crate::subnet::Subnet;

/// A profile's networks, the narrowest ports first, then the longest prefix: the first that matches is the one.
#[derive(Debug)]
pub struct Rules {
    sorted: Vec<(Route, String)>,
}

impl Rules {
    /// Of these networks, each with the word that it came from.
    pub fn of(subnets: &[(String, Subnet)]) -> Self {
        let all =
            subnets.iter().flat_map(|(word, subnet)| subnet.routes().map(move |route| (route, word.clone())));
        let mut sorted: Vec<_> = all.collect();
        sorted.sort_by_key(|(route, _)| {
            (route.ports.last - route.ports.first, u8::MAX - route.net.prefix_len())
        });
        Self { sorted }
    }

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
    use crate::subnet;

    #[test]
    fn the_most_specific_network_is_named() {
        let typed = ["0/0", "10/8", "10.1/16:443", "fd00::/8"];
        let subnets = typed.map(|text| (text.to_owned(), subnet::parse(text).unwrap()));
        let rules = Rules::of(&subnets);
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
}
