//! Router mode: what comes in on the interfaces that plans name, and goes to their networks. Nothing else that is
//! forwarded, and never what is for this machine itself. TCP only: a question to a name server elsewhere goes its way,
//! the listeners for those are on loopback. What goes around is refused and counted as for this machine (`leaving`).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    SessionPlan,
    flatten::{Family, TooManyPieces},
    leaving::{Leaving, Whose},
    render::{layers, listener, routes},
    script::{Hook, Match, Rule, Script, Verdict},
};

/// The loopback device's index, in every network namespace (`LOOPBACK_IFINDEX`, linux/net.h).
const LOOPBACK: u32 = 1;

/// Adds the chains, when there is a session that wants them.
pub fn push(
    sessions: &[&SessionPlan],
    exempt: &[Rule],
    budget: &mut usize,
    script: &mut Script,
) -> Result<(), TooManyPieces> {
    let groups = interfaces_by_members(sessions);
    if groups.is_empty() {
        return Ok(());
    }
    let mut prerouting = vec![
        Rule::returning([Match::NotTcp]),
        Rule::returning([Match::NotSyn]),
        Rule::returning([Match::LocalDestination]),
    ];
    let exempt = || exempt.iter().filter(|rule| is_for_packets(rule)).cloned();
    prerouting.extend(exempt());
    let mut leaving = Leaving::new(Hook::Forward);
    for (members, interfaces) in groups {
        let label = format!("forwarded_{}", interfaces.iter().next().copied().unwrap_or_default());
        let layers = layers(&members, sessions, budget)?;
        let rules = routes(&label, &layers, sessions, script);
        let chain = script.chain(&label, rules);
        let matches: Vec<_> = interfaces.into_iter().map(|index| vec![Match::Interface(index)]).collect();
        let jump = |items: &Vec<Match>| Rule::new(items.clone(), Verdict::Jump(chain.clone()));
        prerouting.extend(matches.iter().map(jump));
        let whose = Whose { label: &label, members: &members, layers: &layers, matches };
        leaving.add(&whose, sessions, budget, script)?;
    }
    script.chains.push(Hook::NatPrerouting.chain(prerouting));
    leaving.finish(exempt(), script);
    script.chains.push(Hook::FilterInput.chain(guard(sessions)));
    Ok(())
}

/// Interfaces with the same sessions share a chain.
fn interfaces_by_members(sessions: &[&SessionPlan]) -> BTreeMap<Vec<usize>, BTreeSet<u32>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, session) in sessions.iter().enumerate() {
        for interface in session.plan.forwarded.iter().collect::<BTreeSet<_>>() {
            members.entry(*interface).or_default().push(index);
        }
    }
    let mut groups: BTreeMap<Vec<usize>, BTreeSet<u32>> = BTreeMap::new();
    for (interface, members) in members {
        groups.entry(members).or_default().insert(interface);
    }
    groups
}

/// What is forwarded has no socket here, so no user and no cgroup.
fn is_for_packets(rule: &Rule) -> bool {
    !rule.matches.iter().any(|item| matches!(item, Match::User(_) | Match::Cgroup(_)))
}

/// The listeners are on all addresses. Who connects to them directly would use the tunnel as a proxy.
fn guard(sessions: &[&SessionPlan]) -> Vec<Rule> {
    let mut rules = vec![Rule::returning([Match::Interface(LOOPBACK)])];
    for session in sessions.iter().filter(|session| !session.plan.forwarded.is_empty()) {
        for family in [Family::V4, Family::V6] {
            let Some(ports) = listener(&session.plan.listeners, family) else { continue };
            let direct = [Match::Family(family), Match::Ports(ports), Match::NotRedirected];
            let rule = Rule::new(direct, Verdict::Reset);
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}
