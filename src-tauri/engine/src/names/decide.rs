//! Whose business a question is. Pure.

use std::collections::HashSet;

use crate::profile::Dns;

/// What a profile wants, and what must not go through its tunnel whatever it wants.
#[derive(Debug, Clone, Default)]
pub struct Decide {
    dns: Dns,
    /// Where ssh itself goes: who asks the tunnel for the way to its own server asks in vain when it is down.
    endpoints: HashSet<String>,
}

impl Decide {
    /// For this profile; `endpoints` are the names of the servers on its way.
    pub fn new(dns: Dns, endpoints: &[String]) -> Self {
        let bare = |name: &String| name.trim_end_matches('.').to_ascii_lowercase();
        Self { dns, endpoints: endpoints.iter().map(bare).collect() }
    }

    /// Whether the name is on the way to the server.
    pub fn is_endpoint(&self, name: &str) -> bool {
        self.endpoints.contains(name)
    }

    /// How closely the name is meant: the characters of the domain that it is in, 0 where all names are meant; None when it
    /// is not. A question that could not be read goes where all go.
    pub fn closeness(&self, name: Option<&str>) -> Option<usize> {
        if self.dns.domains.is_empty() {
            return Some(0);
        }
        let name = name?;
        self.dns.domains.iter().filter(|domain| is_in(name, domain)).map(String::len).max()
    }

    /// What both answer for, in words for people.
    pub fn shared(&self, other: &Self) -> Option<String> {
        if self.dns.domains.is_empty() && other.dns.domains.is_empty() {
            return Some("all names".into());
        }
        self.dns.domains.iter().find(|domain| other.dns.domains.contains(domain)).cloned()
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
        Decide::new(Dns { domains, ..Dns::default() }, &["Bastion.corp.example.".to_owned()])
    }

    #[test]
    fn the_closest_domain_counts() {
        let some = decide(&["corp.example", "db.corp.example", "lab"]);
        for (name, closeness) in [
            ("corp.example", Some(12)),
            ("x.db.corp.example", Some(15)),
            ("a.lab", Some(3)),
            ("xcorp.example", None),
            ("corp.example.org", None),
            ("", None),
        ] {
            assert_eq!(
                (some.closeness(Some(name)), decide(&[]).closeness(Some(name))),
                (closeness, Some(0)),
                "{name}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_goes_the_usual_way() {
        assert_eq!((decide(&["lab"]).closeness(None), decide(&[]).closeness(None)), (None, Some(0)));
    }

    #[test]
    fn the_way_to_the_server_is_known_however_it_is_written() {
        assert!(
            decide(&[]).is_endpoint("bastion.corp.example") && !decide(&[]).is_endpoint("db.corp.example")
        );
    }

    #[test]
    fn two_that_answer_for_the_same_are_found() {
        assert_eq!(decide(&[]).shared(&decide(&[])).as_deref(), Some("all names"));
        assert_eq!(decide(&["a", "b"]).shared(&decide(&["b"])).as_deref(), Some("b"));
        assert_eq!(decide(&["a"]).shared(&decide(&["b.a"])), None, "the closer one is another");
        assert_eq!(decide(&["a"]).shared(&decide(&[])), None);
    }
}
