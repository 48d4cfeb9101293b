//! How much goes around a tunnel although it goes to its networks: UDP, pings, connections that were open before. Rules
//! that count it, and numbers that only grow, whatever becomes of the counters. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ropeway_helper_api::{Count, Leaks};

use super::{
    SessionPlan,
    block::both_protocols,
    flatten::{Family, Target},
    leaving::Whose,
    render::sets,
    script::{Match, Rule, Script, Verdict},
};

/// What the counters of a session are for, in the order in which a packet meets them.
const KINDS: [(&str, &[Match]); 4] = [
    ("udp", &[Match::Udp]),
    ("tcp", &[Match::Tcp]),
    ("icmp", &[Match::Icmp(Family::V4), Match::Icmp(Family::V6)]),
    ("other", &[]),
];

/// The most specific route says who counts.
pub fn rules(
    &Whose { label, layers, .. }: &Whose,
    sessions: &[&SessionPlan],
    script: &mut Script,
) -> Vec<Rule> {
    let mut rules = vec![];
    for (number, layer) in layers.iter().enumerate() {
        for (target, to) in sets(&format!("{label}_{number}"), layer, script) {
            let meter = match target {
                Target::Direct => None,
                Target::Session(index) => sessions[index].meter,
            };
            let verdict = meter.map_or(Verdict::Return, |meter| Verdict::Jump(counting(meter, script)));
            if layer.ports.is_all() {
                rules.push(Rule::new([to], verdict));
            } else {
                rules.extend(both_protocols(layer.ports, Some(&to), &verdict));
            }
        }
    }
    rules
}

/// The chain that counts for one session, each packet once: no wider scope hears of it.
fn counting(meter: u64, script: &mut Script) -> String {
    let mut rules = vec![];
    for (kind, items) in KINDS {
        let count = Match::Count(script.counter(counter(meter, kind)));
        let rule = |item: Option<&Match>| {
            Rule::new(item.into_iter().chain([&count]).cloned().collect::<Vec<_>>(), Verdict::Accept)
        };
        match items {
            [] => rules.push(rule(None)),
            items => rules.extend(items.iter().map(|item| rule(Some(item)))),
        }
    }
    script.chain(&format!("leaks_{meter}"), rules)
}

fn counter(meter: u64, kind: &str) -> String {
    format!("leak_{meter}_{kind}")
}

/// What was counted so far.
#[derive(Default)]
pub struct Meters {
    /// Counted up, never used again.
    last: u64,
    /// By the counters' names.
    tallies: BTreeMap<String, Tally>,
}

/// A counter begins again when its table was made anew, or when another program wanted it so.
#[derive(Default)]
struct Tally {
    before: Count,
    now: Count,
}

impl Meters {
    /// Of a session that is new.
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// What the counters say now. Call it before and after whatever may make them begin again.
    pub fn note(&mut self, counters: BTreeMap<String, Count>) {
        for (name, now) in counters {
            let tally = self.tallies.entry(name).or_default();
            if now.packets < tally.now.packets || now.bytes < tally.now.bytes {
                tally.before += tally.now;
            }
            tally.now = now;
        }
    }

    pub fn of(&self, meter: u64) -> Leaks {
        let [udp, tcp, icmp, other] = KINDS.map(|(kind, _)| self.total(&counter(meter, kind)));
        Leaks { udp, tcp, icmp, other }
    }

    /// The others are gone.
    pub fn keep(&mut self, meters: impl Iterator<Item = u64>) {
        let kept: BTreeSet<_> =
            meters.flat_map(|meter| KINDS.map(|(kind, _)| counter(meter, kind))).collect();
        self.tallies.retain(|name, _| kept.contains(name));
    }

    fn total(&self, name: &str) -> Count {
        let Some(Tally { before, now }) = self.tallies.get(name) else { return Count::default() };
        let mut total = *before;
        total += *now;
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow() {
        let mut meters = Meters::default();
        let (meter, other) = (meters.next(), meters.next());
        let mut read = |packets, expected| {
            let count = Count { packets, bytes: 30 * packets };
            meters.note(BTreeMap::from([(counter(meter, "udp"), count), (counter(other, "tcp"), count)]));
            assert_eq!(meters.of(meter).udp, Count { packets: expected, bytes: 30 * expected });
            assert_eq!(
                (meters.of(other).tcp, meters.of(other).udp),
                (meters.of(meter).udp, Count::default())
            );
        };
        read(3, 3);
        read(3, 3);
        read(5, 5);
        read(0, 5); // made anew
        read(2, 7);
        read(1, 8); // made anew, and some has gone already
        meters.keep([other].into_iter());
        assert_eq!((meters.of(meter), meters.of(other).tcp.packets), (Leaks::default(), 8));
    }
}
