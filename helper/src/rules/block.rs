//! What is kept closed, as a firewall table. Pure, as `render`.

use ropeway_helper_api::{DIRECT_MARK, Ports, Route};

use super::{
    SessionBlock,
    dns::PORT as DNS,
    exempt::{Exempt, exemptions},
    flatten::{Layer, Target, TooManyPieces, flatten},
    render::by_target,
    scope::{Scope, Who},
    script::{Elements, Hook, Match, Rule, Script, Table, Verdict},
    share::for_all,
};

/// The table for these blocks.
///
/// ```text
/// output (hook)   what always passes; then one jump for each block, behind its scope
/// block_<n>       DNS, unless it is closed too; then the layers: exclusions return, the rest goes to `deny`
/// deny            TCP gets a reset, everything else an ICMP error, so programs need not wait
/// ```
/// What is captured has been given a local address before it comes here, so it passes: a block needs no change when
/// its tunnel comes and goes. Traffic that is only forwarded is not looked at: a crashed tunnel must not take the
/// network from other machines, which can't see why, and whom nobody asked.
pub fn render(blocks: &[&SessionBlock]) -> Result<Script, TooManyPieces> {
    let mut script = Script::new(Table::Block);
    let mut output = always_open();
    output.extend(exemptions(&blocks.iter().map(|block| exempt(block)).collect::<Vec<_>>(), &mut script));
    let deny = script.chain("deny", deny());
    let mut budget = for_all(blocks.iter().map(|block| block.uid));
    for (number, block) in blocks.iter().enumerate() {
        let Some(scope) = Scope::of(who(block)) else { continue };
        let label = format!("block_{number}");
        let rules = closed(&label, block, &deny, &mut budget, &mut script)?;
        let chain = script.chain(&label, rules);
        output.push(Rule::new(scope.matches(), Verdict::Jump(chain)));
    }
    script.chains.push(Hook::FilterOutput.chain(output));
    Ok(script)
}

fn who(block: &SessionBlock) -> Who {
    Who { capture: block.block.capture, cgroup: None, uid: block.uid, grant: block.grant }
}

fn exempt(block: &SessionBlock) -> Exempt<'_> {
    Exempt {
        uid: block.uid,
        grant: block.grant,
        cgroup: block.direct_cgroup,
        endpoints: &block.block.endpoints,
    }
}

/// Answers to what came in, this machine's own addresses, marked sockets, what a tunnel carries, and what a network needs to exist: multicast
/// listener reports (130-132 and 143, RFC 3810, without which switches drop the next one), neighbour discovery
/// (133-137, RFC 4861), and DHCP (RFC 2131, RFC 8415).
pub(super) fn always_open() -> Vec<Rule> {
    [
        Match::Reply,
        Match::LocalDestination,
        Match::Mark(DIRECT_MARK),
        Match::ToDevice,
        Match::Icmpv6(130, 137),
        Match::Icmpv6(143, 143),
        Match::UdpFlow(68, 67),
        Match::UdpFlow(546, 547),
    ]
    .map(|item| Rule::returning([item]))
    .into()
}

pub(super) fn deny() -> Vec<Rule> {
    vec![Rule::new([Match::Tcp], Verdict::Reset), Rule::new([], Verdict::Prohibit)]
}

fn closed(
    label: &str,
    block: &SessionBlock,
    deny: &str,
    budget: &mut usize,
    script: &mut Script,
) -> Result<Vec<Rule>, TooManyPieces> {
    let verdict = if block.block.dns { Verdict::Jump(deny.into()) } else { Verdict::Return };
    let mut rules = both_protocols(DNS, None, &verdict);
    let layers = flatten(targets(block), budget)?;
    for (number, layer) in layers.iter().enumerate() {
        rules.extend(layer_rules(&format!("{label}_{number}"), layer, deny, script));
    }
    Ok(rules)
}

fn targets(block: &SessionBlock) -> impl Iterator<Item = (Route, Target)> {
    let include = block.block.include.iter().map(|&route| (route, Target::Session(0)));
    include.chain(block.block.exclude.iter().map(|&route| (route, Target::Direct)))
}

/// An exclusion needs a rule only where a layer behind could decide otherwise.
fn layer_rules(label: &str, layer: &Layer, deny: &str, script: &mut Script) -> Vec<Rule> {
    let mut rules = vec![];
    for (target, ranges) in by_target(layer) {
        let (verdict, what) = match target {
            Target::Direct if layer.ports.is_all() => continue,
            Target::Direct => (Verdict::Return, "open"),
            Target::Session(_) => (Verdict::Jump(deny.into()), "closed"),
        };
        let set = script.set(&format!("{label}_{what}"), layer.family, Elements::Ranges(ranges));
        let to = Match::Destination(layer.family, set);
        if layer.ports.is_all() {
            rules.push(Rule::new([to], verdict));
        } else {
            rules.extend(both_protocols(layer.ports, Some(&to), &verdict));
        }
    }
    rules
}

pub(super) fn both_protocols(ports: Ports, to: Option<&Match>, verdict: &Verdict) -> Vec<Rule> {
    [Match::Ports(ports), Match::UdpPorts(ports)]
        .map(|ports| Rule::new([ports].into_iter().chain(to.cloned()).collect::<Vec<_>>(), verdict.clone()))
        .into()
}
