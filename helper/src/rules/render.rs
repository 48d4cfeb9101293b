//! What sessions want, as a firewall table. Pure: the same plans give the same table, on every OS.
//!
//! ```text
//! output (hook)      what is never captured; then one jump for each capture scope, the narrower first
//! <scope>            questions to name servers; then the layers of `flatten` in their order: exclusions return, each
//!                    session's ranges go to its listener
//! prerouting (nat)   router mode: one jump for each interface that a plan names, to layers of the same kind
//! prerouting (hook)  what comes from the devices of users with the smaller grant: only answers
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
    router,
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
    for (scope, members) in scopes(sessions.iter().map(|session| session.who())) {
        let label = scope.name();
        let mut rules = dns::rules(&label, &members, sessions, &mut script);
        if names {
            rules.push(Rule::returning([Match::LocalDestination]));
        }
        rules.extend(routes(&label, &members, sessions, &mut budget, &mut script)?);
        let chain = script.chain(&label, rules);
        output.push(Rule::new(scope.matches(), Verdict::Jump(chain)));
    }
    script.chains.push(Hook::NatOutput.chain(output));
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

/// Rules for what goes to the routes of these sessions.
pub(super) fn routes(
    label: &str,
    members: &[usize],
    sessions: &[&SessionPlan],
    budget: &mut usize,
    script: &mut Script,
) -> Result<Vec<Rule>, TooManyPieces> {
    let wanted = members.iter().flat_map(|&index| targets(index, &sessions[index].plan));
    let layers = flatten(wanted, budget)?;
    let mut rules = vec![];
    for (number, layer) in layers.iter().enumerate() {
        rules.extend(layer_rules(&format!("{label}_{number}"), layer, sessions, script));
    }
    Ok(rules)
}

fn targets(index: usize, plan: &Plan) -> impl Iterator<Item = (Route, Target)> {
    let include = plan.include.iter().map(move |&route| (route, Target::Session(index)));
    include.chain(plan.exclude.iter().map(|&route| (route, Target::Direct)))
}

/// An exclusion needs a rule only where a layer behind could decide otherwise.
fn layer_rules(label: &str, layer: &Layer, sessions: &[&SessionPlan], script: &mut Script) -> Vec<Rule> {
    let mut rules = vec![];
    for (target, ranges) in by_target(layer) {
        let (verdict, who) = match target {
            Target::Direct if layer.ports.is_all() => continue,
            Target::Direct => (Verdict::Return, "direct".into()),
            Target::Session(index) => match listener(&sessions[index].plan.listeners, layer.family) {
                Some(ports) => (Verdict::Redirect(ports), format!("s{index}")),
                None => continue, // a valid plan has no such route
            },
        };
        let set = script.set(&format!("{label}_{who}"), layer.family, Elements::Ranges(ranges));
        let ports = if layer.ports.is_all() { Match::Tcp } else { Match::Ports(layer.ports) };
        rules.push(Rule::new([ports, Match::Destination(layer.family, set)], verdict));
    }
    rules
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
