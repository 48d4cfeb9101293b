//! What sessions keep out of every tunnel and every block: their cgroups, and their servers' addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use ropeway_helper_api::Grant;

use super::{
    flatten::Family,
    script::{Cgroup, Elements, Match, Rule, Script},
};

/// What one session exempts. With [`Grant::Own`] only for the user's own sockets: else one user's "server" could be
/// another's hole.
#[derive(Debug, Clone, Copy)]
pub struct Exempt<'a> {
    pub uid: u32,
    pub grant: Grant,
    pub cgroup: Option<Cgroup>,
    pub endpoints: &'a [SocketAddr],
}

/// Whose sockets; None for everybody's, which come first.
type For = Option<u32>;

/// Rules that return, each cgroup and each endpoint once.
pub fn exemptions(all: &[Exempt], script: &mut Script) -> Vec<Rule> {
    let mut rules = cgroups(all);
    for (who, endpoints) in endpoints(all) {
        for (family, label) in [(Family::V4, "endpoints_v4"), (Family::V6, "endpoints_v6")] {
            let of_family: Vec<_> =
                endpoints.iter().copied().filter(|e| e.is_ipv4() == (family == Family::V4)).collect();
            if !of_family.is_empty() {
                let set = script.set(&owned(label, who), family, Elements::Endpoints(of_family));
                rules.push(returning(who, Match::Endpoint(family, set)));
            }
        }
    }
    rules
}

/// Each user has sets of their own, whatever is in them.
fn owned(label: &str, who: For) -> String {
    who.map_or_else(|| label.to_owned(), |uid| format!("{label}_of_{uid}"))
}

fn cgroups(all: &[Exempt]) -> Vec<Rule> {
    let cgroups: BTreeSet<(For, Cgroup)> =
        all.iter().filter_map(|exempt| Some((exempt.whose(), exempt.cgroup?))).collect();
    cgroups.into_iter().map(|(who, cgroup)| returning(who, Match::Cgroup(cgroup))).collect()
}

fn endpoints(all: &[Exempt]) -> BTreeMap<For, BTreeSet<SocketAddr>> {
    let mut endpoints: BTreeMap<For, BTreeSet<SocketAddr>> = BTreeMap::new();
    for exempt in all {
        // an IPv6 address may carry a scope or a flow label, which is no part of the kernel's set
        let plain = exempt.endpoints.iter().map(|endpoint| SocketAddr::new(endpoint.ip(), endpoint.port()));
        endpoints.entry(exempt.whose()).or_default().extend(plain);
    }
    endpoints
}

fn returning(who: For, item: Match) -> Rule {
    Rule::returning(who.map(Match::User).into_iter().chain([item]).collect::<Vec<_>>())
}

impl Exempt<'_> {
    fn whose(&self) -> For {
        (self.grant == Grant::Own).then_some(self.uid)
    }
}
