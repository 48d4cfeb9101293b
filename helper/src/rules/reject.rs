//! What is refused because it would go around a tunnel: networks that its server cannot carry, QUIC to captured
//! networks, DNS over TLS to captured name servers. Pure.

use ropeway_helper_api::Ports;

use super::{
    SessionPlan,
    block::{self, both_protocols},
    dns,
    flatten::{Family, Layer, Target, TooManyPieces, flatten},
    leaving::Whose,
    render::sets,
    script::{Match, Rule, Script, Verdict},
};

/// HTTP/3 (RFC 9114).
const QUIC: Ports = Ports { first: 443, last: 443 };

/// RFC 7858.
const DNS_OVER_TLS: Ports = Ports { first: 853, last: 853 };

/// Only what begins is refused: what was open before goes on, as everywhere. `names`: also questions by TLS.
pub fn rules(
    &Whose { label, members, layers, .. }: &Whose,
    names: bool,
    sessions: &[&SessionPlan],
    budget: &mut usize,
    script: &mut Script,
) -> Result<Vec<Rule>, TooManyPieces> {
    let deny = Verdict::Jump(script.chain("deny", block::deny()));
    let mut rules = vec![];
    if names {
        rules.extend(questions(label, members, sessions, script).map(|to| Rule::new(to, deny.clone())));
    }
    // each in a chain of its own, because what one leaves out the other may refuse
    for (label, refused) in [
        (format!("{label}_networks"), networks(label, members, sessions, &deny, budget, script)?),
        (format!("{label}_quic"), quic(label, members, sessions, layers, &deny, script)),
    ] {
        if !refused.is_empty() {
            rules.push(Rule::new([], Verdict::Jump(script.chain(&label, refused))));
        }
    }
    if !rules.is_empty() {
        rules.splice(0..0, [Match::NotSyn, Match::Known].map(|item| Rule::returning([item])));
    }
    Ok(rules)
}

/// What must not be redirected, because it is refused later.
pub fn not_captured(
    label: &str,
    members: &[usize],
    sessions: &[&SessionPlan],
    script: &mut Script,
) -> Vec<Rule> {
    questions(label, members, sessions, script).map(|to| Rule::new(to, Verdict::Accept)).collect()
}

/// Questions by TLS to the name servers that the sessions of one scope want captured.
fn questions<'a>(
    label: &'a str,
    members: &'a [usize],
    sessions: &'a [&SessionPlan],
    script: &'a mut Script,
) -> impl Iterator<Item = Vec<Match>> + 'a {
    let refusing = members.iter().map(|&index| &sessions[index].plan).filter(|plan| plan.reject.dns_over_tls);
    let captured = refusing.filter_map(|plan| plan.dns.as_ref()).flat_map(|dns| {
        let listens = [(Family::V4, dns.v4), (Family::V6, dns.v6)];
        listens.into_iter().filter_map(move |(family, port)| port.map(|_| (family, dns)))
    });
    captured.filter_map(move |(family, dns)| {
        Some(vec![dns::destination(label, family, dns, script)?, Match::Ports(DNS_OVER_TLS)])
    })
}

fn networks(
    label: &str,
    members: &[usize],
    sessions: &[&SessionPlan],
    deny: &Verdict,
    budget: &mut usize,
    script: &mut Script,
) -> Result<Vec<Rule>, TooManyPieces> {
    let plans = || members.iter().map(|&index| &sessions[index].plan);
    if plans().all(|plan| plan.reject.networks.is_empty()) {
        return Ok(vec![]);
    }
    let refused = plans().flat_map(|plan| &plan.reject.networks).map(|&route| (route, Target::Session(0)));
    let left_out = plans().flat_map(|plan| &plan.exclude).map(|&route| (route, Target::Direct));
    let layers = flatten(refused.chain(left_out), budget)?;
    let mut rules = vec![];
    for (number, layer) in layers.iter().enumerate() {
        for (target, to) in sets(&format!("{label}_refused_{number}"), layer, script) {
            let verdict = if target == Target::Direct { Verdict::Return } else { deny.clone() };
            if layer.ports.is_all() {
                rules.push(Rule::new([to], verdict));
            } else {
                rules.extend(both_protocols(layer.ports, Some(&to), &verdict));
            }
        }
    }
    Ok(rules)
}

/// The most specific route says whose it is; who does not refuse it lets it pass.
fn quic(
    label: &str,
    members: &[usize],
    sessions: &[&SessionPlan],
    layers: &[Layer],
    deny: &Verdict,
    script: &mut Script,
) -> Vec<Rule> {
    let refuses = |index: usize| sessions[index].plan.reject.quic;
    let mut rules = vec![];
    if !members.iter().any(|&index| refuses(index)) {
        return rules;
    }
    for (number, layer) in
        layers.iter().enumerate().filter(|(_, layer)| layer.ports.range().contains(&QUIC.first))
    {
        for (target, to) in sets(&format!("{label}_{number}"), layer, script) {
            let verdict = match target {
                Target::Session(index) if refuses(index) => deny.clone(),
                _ => Verdict::Return,
            };
            rules.push(Rule::new([Match::UdpPorts(QUIC), to], verdict));
        }
    }
    rules
}
