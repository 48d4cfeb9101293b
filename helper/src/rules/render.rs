//! What sessions want, as a firewall table. Pure: the same plans give the same table, on every OS.
//!
//! ```text
//! output (hook)   what is never captured; then one jump for each capture scope, users before everyone
//! <scope>         the layers of `flatten` in their order: exclusions return, each session's ranges go to its listener
//! ```
//! Returning from a scope leads to the next wider one: an exclusion says "not by these tunnels", and what a
//! tunnel for the whole machine captures is not for one user's plan to decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use ropeway_helper_api::{Capture, DIRECT_MARK, ListenerPorts, Plan, Ports, Route};

use super::{
    flatten::{Family, Layer, MAX_PIECES, Target, TooManyPieces, flatten},
    script::{Cgroup, Chain, Elements, Match, Rule, Script, Set, Verdict},
};

/// What one session wants: its plan, valid, and the cgroup that its descriptor named.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    pub plan: Plan,
    pub direct_cgroup: Option<Cgroup>,
}

/// The table for these sessions, which came in this order.
pub fn render(sessions: &[&SessionPlan]) -> Result<Script, TooManyPieces> {
    let mut script = Script::default();
    let mut output = never_captured(sessions, &mut script.sets);
    let mut budget = MAX_PIECES;
    for (scope, members) in scopes(sessions) {
        let mut chain = Chain { name: scope.name(), hooked: false, rules: vec![] };
        let layers =
            flatten(members.iter().flat_map(|&index| routes(index, &sessions[index].plan)), &mut budget)?;
        for (number, layer) in layers.iter().enumerate() {
            push_layer(layer, number, sessions, &mut chain, &mut script.sets);
        }
        output.push(Rule { matches: scope.matches(), verdict: Verdict::Jump(chain.name.clone()) });
        script.chains.push(chain);
    }
    script.chains.push(Chain { name: "output".into(), hooked: true, rules: output });
    Ok(script)
}

/// Whose connections, the narrower first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    User(u32),
    Everyone,
}

impl Scope {
    fn name(self) -> String {
        match self {
            Self::User(uid) => format!("user_{uid}"),
            Self::Everyone => "everyone".into(),
        }
    }

    fn matches(self) -> Vec<Match> {
        match self {
            Self::User(uid) => vec![Match::User(uid)],
            Self::Everyone => vec![],
        }
    }
}

fn scopes(sessions: &[&SessionPlan]) -> BTreeMap<Scope, Vec<usize>> {
    let mut scopes: BTreeMap<Scope, Vec<usize>> = BTreeMap::new();
    for (index, session) in sessions.iter().enumerate() {
        let scope = match session.plan.capture {
            Capture::User { uid } => Scope::User(uid),
            // narrower scopes come with their own chains
            Capture::Everyone | Capture::Group { .. } | Capture::Cgroup => Scope::Everyone,
        };
        scopes.entry(scope).or_default().push(index);
    }
    scopes
}

fn routes(index: usize, plan: &Plan) -> impl Iterator<Item = (Route, Target)> {
    let include = plan.include.iter().map(move |&route| (route, Target::Session(index)));
    include.chain(plan.exclude.iter().map(|&route| (route, Target::Direct)))
}

/// The first rules, the cheap ones first. Only the packet that opens a connection is looked at: without that rule
/// connections older than the table would be torn out of their way, and reset.
fn never_captured(sessions: &[&SessionPlan], sets: &mut Vec<Set>) -> Vec<Rule> {
    let mut rules = vec![
        returning([Match::NotTcp]),
        returning([Match::NotSyn]),
        returning([Match::Mark(DIRECT_MARK)]),
        returning([Match::LocalDestination]),
    ];
    rules.extend(cgroups(sessions).into_iter().map(|cgroup| returning([Match::Cgroup(cgroup)])));
    for (family, name) in [(Family::V4, "endpoints_v4"), (Family::V6, "endpoints_v6")] {
        let endpoints = endpoints(sessions, family);
        if !endpoints.is_empty() {
            let set = Set::named_by_content(name, family, Elements::Endpoints(endpoints));
            rules.push(returning([Match::Endpoint(family, set.name.clone())]));
            sets.push(set);
        }
    }
    rules
}

/// In the order of the sessions, each once.
fn cgroups(sessions: &[&SessionPlan]) -> Vec<Cgroup> {
    let mut cgroups = vec![];
    for cgroup in sessions.iter().filter_map(|session| session.direct_cgroup) {
        if !cgroups.contains(&cgroup) {
            cgroups.push(cgroup);
        }
    }
    cgroups
}

fn endpoints(sessions: &[&SessionPlan], family: Family) -> Vec<SocketAddr> {
    let all = sessions.iter().flat_map(|session| &session.plan.endpoints);
    // an IPv6 address may carry a scope or a flow label, which is no part of the kernel's set
    let plain: BTreeSet<_> = all.map(|endpoint| SocketAddr::new(endpoint.ip(), endpoint.port())).collect();
    plain.into_iter().filter(|endpoint| endpoint.is_ipv4() == (family == Family::V4)).collect()
}

/// An exclusion needs a rule only where a layer behind could decide otherwise.
fn push_layer(
    layer: &Layer,
    number: usize,
    sessions: &[&SessionPlan],
    chain: &mut Chain,
    sets: &mut Vec<Set>,
) {
    for (target, ranges) in by_target(layer) {
        let (verdict, who) = match target {
            Target::Direct if layer.ports.is_all() => continue,
            Target::Direct => (Verdict::Return, "direct".into()),
            Target::Session(index) => match listener(&sessions[index].plan.listeners, layer.family) {
                Some(ports) => (Verdict::Redirect(ports), format!("s{index}")),
                None => continue, // a valid plan has no such route
            },
        };
        let label = format!("{}_{number}_{who}", chain.name);
        let set = Set::named_by_content(&label, layer.family, Elements::Ranges(ranges));
        let mut matches = ports_match(layer.ports);
        matches.push(Match::Destination(layer.family, set.name.clone()));
        chain.rules.push(Rule { matches, verdict });
        sets.push(set);
    }
}

fn by_target(layer: &Layer) -> BTreeMap<Target, Vec<(u128, u128)>> {
    let mut ranges: BTreeMap<Target, Vec<_>> = BTreeMap::new();
    for piece in &layer.pieces {
        ranges.entry(piece.target).or_default().push((piece.first, piece.last));
    }
    ranges
}

fn listener(listeners: &ListenerPorts, family: Family) -> Option<Ports> {
    match family {
        Family::V4 => listeners.v4,
        Family::V6 => listeners.v6,
    }
}

fn ports_match(ports: Ports) -> Vec<Match> {
    if ports.is_all() { vec![Match::Tcp] } else { vec![Match::Ports(ports)] }
}

fn returning<const N: usize>(matches: [Match; N]) -> Rule {
    Rule { matches: matches.into(), verdict: Verdict::Return }
}
