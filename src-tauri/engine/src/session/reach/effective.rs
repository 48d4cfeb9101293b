//! Everything that goes through and everything that does not, with the words that it came from. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use ipnet::IpNet;

use crate::{
    profile::{Dns, Parsed},
    subnet::Subnet,
};

/// RFC 1035.
const DNS: u16 = 53;

/// Where networks came from that nobody typed as such; the word is shown as their rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The server's routing table.
    AutoNets,
    /// Networks that this computer is in: they do not go through.
    Local,
    /// An entry of the list, as typed: a name, a file.
    Entry(String),
    /// A name in that file.
    Within(String, String),
}

/// On which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Through,
    Direct,
}

/// The typed networks and all that became known.
#[derive(Debug, Clone)]
pub struct Effective {
    parsed: Arc<Parsed>,
    found: BTreeMap<(Side, Source), BTreeSet<Subnet>>,
}

impl Effective {
    pub fn new(parsed: Arc<Parsed>) -> Self {
        Self { parsed, found: BTreeMap::new() }
    }

    pub fn parsed(&self) -> &Arc<Parsed> {
        &self.parsed
    }

    /// The profile was edited. What came from entries that it no longer has is forgotten by whoever found it.
    pub fn edit(&mut self, parsed: Arc<Parsed>) {
        self.parsed = parsed;
    }

    /// What a source says now; whether that is news.
    pub fn set(&mut self, side: Side, source: Source, subnets: BTreeSet<Subnet>) -> bool {
        let key = (side, source);
        if subnets.is_empty() {
            return self.found.remove(&key).is_some();
        }
        self.found.insert(key, subnets.clone()) != Some(subnets)
    }

    /// What goes through, by the word that it came from.
    pub fn include(&self) -> Vec<(String, Subnet)> {
        let typed = self.parsed.include.iter().cloned();
        typed.chain(self.of(Side::Through)).collect()
    }

    /// What does not. A network that is typed as going through does, though this computer is in it.
    pub fn exclude(&self) -> Vec<(String, Subnet)> {
        let typed: BTreeSet<IpNet> = self.parsed.include.iter().map(|(_, subnet)| subnet.net()).collect();
        let local = Source::Local.word();
        let found =
            self.of(Side::Direct).filter(|(word, subnet)| *word != local || !typed.contains(&subnet.net()));
        self.parsed.exclude.iter().cloned().chain(found).collect()
    }

    /// Whether a connection to there is to a name server that we answer for.
    pub fn asks(&self, target: SocketAddr) -> bool {
        let ip = target.ip().to_canonical();
        let meant = |dns: &Dns| dns.asked.is_empty() || dns.asked.contains(&ip);
        target.port() == DNS && self.parsed.names.dns.as_ref().is_some_and(meant)
    }

    fn of(&self, side: Side) -> impl Iterator<Item = (String, Subnet)> {
        let found = self.found.iter().filter(move |((its, _), _)| *its == side);
        found.flat_map(|((_, source), subnets)| subnets.iter().map(|subnet| (source.word(), subnet.clone())))
    }
}

impl Source {
    fn word(&self) -> String {
        match self {
            Self::AutoNets => "the server's networks".into(),
            Self::Local => "this computer's networks".into(),
            Self::Entry(typed) => typed.clone(),
            Self::Within(_, name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Profile, profile, subnet};

    fn effective(include: &[&str], exclude: &[&str]) -> Effective {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let profile = Profile {
            name: "test".into(),
            server: "host".into(),
            subnets: texts(include),
            excludes: texts(exclude),
            ..Profile::default()
        };
        Effective::new(Arc::new(profile::parse(&profile).unwrap()))
    }

    fn subnets(texts: &[&str]) -> BTreeSet<Subnet> {
        texts.iter().map(|text| subnet::parse(text).unwrap()).collect()
    }

    fn shown(all: &[(String, Subnet)]) -> Vec<String> {
        all.iter().map(|(word, subnet)| format!("{word} = {subnet}")).collect()
    }

    #[test]
    fn what_was_found_stands_behind_what_was_typed() {
        let mut all = effective(&["10/8", "db.corp:5432"], &[]);
        let db = || Source::Entry("db.corp:5432".into());
        assert!(all.set(Side::Through, db(), subnets(&["192.0.2.5:5432"])));
        assert!(!all.set(Side::Through, db(), subnets(&["192.0.2.5:5432"])), "it is known");
        assert_eq!(shown(&all.include()), ["10/8 = 10.0.0.0/8", "db.corp:5432 = 192.0.2.5:5432"]);
        assert!(all.set(Side::Through, db(), BTreeSet::new()));
        assert_eq!(shown(&all.include()), ["10/8 = 10.0.0.0/8"]);
    }

    #[test]
    fn local_networks_stay_unless_somebody_typed_them() {
        let mut all = effective(&["0/0", "192.168.1.0/24"], &["10.9/16"]);
        all.set(Side::Direct, Source::Local, subnets(&["192.168.1.0/24", "172.17.0.0/16"]));
        assert_eq!(
            shown(&all.exclude()),
            ["10.9/16 = 10.9.0.0/16", "this computer's networks = 172.17.0.0/16"]
        );
    }
}
