//! Who answers a question. Pure.

use std::collections::HashSet;

use crate::profile::Dns;

/// By whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On the server.
    Tunnel,
    /// The network's own name servers, as if there were no tunnel.
    Direct,
}

/// What a profile wants, and what must not go through its tunnel whatever it wants.
#[derive(Debug, Clone, Default)]
pub struct Decide {
    dns: Dns,
    /// Where ssh itself goes: who asks the tunnel for the way to its own server asks in vain when it is down.
    endpoints: HashSet<String>,
}

impl Decide {
    /// For this profile; nothing is known of its server yet.
    pub fn new(dns: Dns) -> Self {
        Self { dns, endpoints: HashSet::new() }
    }

    /// The names of the servers on the way.
    pub fn set_endpoints(&mut self, names: impl IntoIterator<Item = String>) {
        self.endpoints =
            names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect();
    }

    /// For a question about this name; None when it could not be read. Then it goes where all go, and where only some domains
    /// go through the tunnel, it is not one of them.
    pub fn way(&self, name: Option<&str>) -> Way {
        let Some(name) = name else {
            return if self.dns.domains.is_empty() { Way::Tunnel } else { Way::Direct };
        };
        if self.endpoints.contains(name) {
            return Way::Direct;
        }
        let meant = self.dns.domains.is_empty() || self.dns.domains.iter().any(|domain| is_in(name, domain));
        if meant { Way::Tunnel } else { Way::Direct }
    }
}

/// The domain itself, and what is below it.
fn is_in(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(domains: &[&str]) -> Decide {
        let domains = domains.iter().map(ToString::to_string).collect();
        Decide::new(Dns { domains, ..Dns::default() })
    }

    #[test]
    fn all_questions_or_those_of_some_domains() {
        let some = decide(&["corp.example", "lab"]);
        for (name, way) in [
            ("corp.example", Way::Tunnel),
            ("db.corp.example", Way::Tunnel),
            ("a.lab", Way::Tunnel),
            ("xcorp.example", Way::Direct),
            ("corp.example.org", Way::Direct),
            ("", Way::Direct),
        ] {
            assert_eq!((some.way(Some(name)), decide(&[]).way(Some(name))), (way, Way::Tunnel), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_goes_the_usual_way() {
        assert_eq!(decide(&["lab"]).way(None), Way::Direct);
        assert_eq!(decide(&[]).way(None), Way::Tunnel);
    }

    #[test]
    fn the_way_to_the_server_is_never_asked_through_the_tunnel() {
        let mut all = decide(&["corp.example"]);
        all.set_endpoints(["Bastion.corp.example.".to_owned()]);
        assert_eq!(all.way(Some("bastion.corp.example")), Way::Direct);
        assert_eq!(all.way(Some("db.corp.example")), Way::Tunnel);
    }
}
