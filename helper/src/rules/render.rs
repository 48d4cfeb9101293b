//! What sessions want, as a firewall table. Pure: the same plans give the same table, on every OS.
//!
//! ```text
//! output (hook)      what is never captured; then one jump for each capture scope, the narrower first
//! <scope>            questions to name servers; then the layers of `flatten` in their order: exclusions return, each
//!                    session's ranges go to its listener
//! prerouting (nat)   router mode: one jump for each interface that a plan names, to layers of the same kind
//! prerouting (hook)  what comes from the devices of users with the smaller grant: only answers
//! leaving (hook)     what would go around a tunnel (`leaving`); forward (hook): the same in router mode
//! input (hook)       router mode: the listeners, which are on all addresses then, take nothing but what was captured
//! ```
//! Returning from a scope leads to the next wider one: an exclusion says "not by these tunnels", and what a
//! tunnel for the whole machine captures is not for one user's plan to decide.

use std::collections::BTreeMap;

use ropeway_helper_api::{DIRECT_MARK, Grant, ListenerPorts, Plan, Ports, Route};

use super::{
    SessionPlan, dns,
    exempt::{Exempt, exemptions},
    flatten::{Family, Layer, Target, TooManyPieces, flatten},
    leaving::{Leaving, Whose},
    reject, router,
    scope::scopes,
    script::{Elements, Hook, Match, Rule, Script, Table, Verdict},
    share::for_all,
    udp,
};

/// The table for these sessions, which came in this order.
pub fn render(sessions: &[&SessionPlan]) -> Result<Script, TooManyPieces> {
    let mut script = Script::new(Table::Redirect);
    let mut budget = for_all(sessions.iter().map(|session| session.uid));
    let exempt = exemptions(&exempt(sessions), &mut script);
    let names = sessions.iter().any(|session| session.plan.dns.is_some());
    let mut output = never_captured(names);
    output.extend(exempt.iter().cloned());
    let mut leaving = Leaving::new(Hook::Leaving);
    for (scope, members) in scopes(sessions.iter().map(|session| session.who())) {
        let label = scope.name();
        let mut rules = dns::rules(&label, &members, sessions, &mut script);
        if names {
            rules.push(Rule::returning([Match::LocalDestination]));
        }
        rules.extend(reject::not_captured(&label, &members, sessions, &mut script));
        let layers = layers(&members, sessions, &mut budget)?;
        rules.extend(routes(&label, &layers, sessions, &mut script));
        let chain = script.chain(&label, rules);
        output.push(Rule::new(scope.matches(), Verdict::Jump(chain)));
        let matches = vec![scope.matches()];
        let whose = Whose { label: &label, members: &members, layers: &layers, matches };
        leaving.add(&whose, sessions, &mut budget, &mut script)?;
    }
    for (uid, members) in dns::resolvers(sessions) {
        let label = format!("resolver_{uid}");
        let rules = dns::rules(&label, &members, sessions, &mut script);
        let chain = script.chain(&label, rules);
        output.push(Rule::new([Match::User(uid)], Verdict::Jump(chain)));
    }
    script.chains.push(Hook::NatOutput.chain(output));
    leaving.finish(exempt.iter().cloned(), &mut script);
    if sessions.iter().any(|session| session.grant == Grant::Own) {
        script.chains.push(Hook::FilterPrerouting.chain(udp::guard()));
    }
    router::push(sessions, &exempt, &mut budget, &mut script)?;
    Ok(script)
}

fn exempt<'a>(sessions: &[&'a SessionPlan]) -> Vec<Exempt<'a>> {
    let of = |session: &&'a SessionPlan| Exempt {
        uid: session.uid,
        grant: session.grant,
        cgroup: session.direct_cgroup,
        endpoints: &session.plan.endpoints,
    };
    sessions.iter().map(of).collect()
}

/// The first rules, the cheap ones first. Only the packet that opens a connection is looked at: without that rule
/// connections older than the table would be torn out of their way, and reset. Where `names` are captured, a name server
/// on this machine (systemd's stub on 127.0.0.53) is asked for as well; then each scope has the rule for
/// local destinations behind those for names.
fn never_captured(names: bool) -> Vec<Rule> {
    let marked = Rule::returning([Match::Mark(DIRECT_MARK)]);
    let mid_connection = Rule::returning([Match::NotSyn]);
    if names {
        return vec![mid_connection, marked];
    }
    vec![Rule::returning([Match::NotTcp]), mid_connection, marked, Rule::returning([Match::LocalDestination])]
}

/// What these sessions' routes come down to.
pub(super) fn layers(
    members: &[usize],
    sessions: &[&SessionPlan],
    budget: &mut usize,
) -> Result<Vec<Layer>, TooManyPieces> {
    flatten(members.iter().flat_map(|&index| targets(index, &sessions[index].plan)), budget)
}

fn targets(index: usize, plan: &Plan) -> impl Iterator<Item = (Route, Target)> {
    let include = plan.include.iter().map(move |&route| (route, Target::Session(index)));
    include.chain(plan.exclude.iter().map(|&route| (route, Target::Direct)))
}

/// Rules for what goes to these routes.
pub(super) fn routes(
    label: &str,
    layers: &[Layer],
    sessions: &[&SessionPlan],
    script: &mut Script,
) -> Vec<Rule> {
    let mut rules = vec![];
    for (number, layer) in layers.iter().enumerate() {
        for (target, to) in sets(&format!("{label}_{number}"), layer, script) {
            let verdict = match target {
                Target::Direct => Verdict::Return,
                Target::Session(index) => match listener(&sessions[index].plan.listeners, layer.family) {
                    Some(ports) => Verdict::Redirect(ports),
                    None => continue, // a valid plan has no such route
                },
            };
            let ports = if layer.ports.is_all() { Match::Tcp } else { Match::Ports(layer.ports) };
            rules.push(Rule::new([ports, to], verdict));
        }
    }
    rules
}

/// Where a layer's pieces are, by target. An exclusion needs a rule only where a layer behind could decide otherwise.
pub(super) fn sets(label: &str, layer: &Layer, script: &mut Script) -> Vec<(Target, Match)> {
    let needed =
        by_target(layer).into_iter().filter(|(target, _)| *target != Target::Direct || !layer.ports.is_all());
    let set = |(target, ranges)| {
        let who = match target {
            Target::Direct => "direct".to_owned(),
            Target::Session(index) => format!("s{index}"),
        };
        let name = script.set(&format!("{label}_{who}"), layer.family, Elements::Ranges(ranges));
        (target, Match::Destination(layer.family, name))
    };
    needed.map(set).collect()
}

pub(super) fn by_target(layer: &Layer) -> BTreeMap<Target, Vec<(u128, u128)>> {
    let mut ranges: BTreeMap<Target, Vec<_>> = BTreeMap::new();
    for piece in &layer.pieces {
        ranges.entry(piece.target).or_default().push((piece.first, piece.last));
    }
    ranges
}

pub(super) fn listener(listeners: &ListenerPorts, family: Family) -> Option<Ports> {
    match family {
        Family::V4 => listeners.v4,
        Family::V6 => listeners.v6,
    }
}
