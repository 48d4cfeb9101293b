//! What leaves this machine, behind everything that captures: refused where a plan says so, else counted. Pure.
//!
//! ```text
//! leaving (hook)    what is nobody's business; then jumps for each scope, the narrower first
//! forward (hook)    router mode: the same, with jumps for each interface
//! <whose>_refused   only what begins: DNS over TLS, networks, QUIC
//! <whose>_around    what goes to a session's routes, to the chain that counts for it
//! ```

use super::{
    SessionPlan,
    block::always_open,
    flatten::{Family, Layer, TooManyPieces},
    meter, reject,
    script::{Elements, Hook, Match, Rule, Script, Verdict},
};

/// One of both chains, as it grows.
pub struct Leaving {
    hook: Hook,
    refused: Vec<Rule>,
    counted: Vec<Rule>,
}

/// The sessions that share a scope, or an interface.
pub struct Whose<'a> {
    pub label: &'a str,
    pub members: &'a [usize],
    /// What their routes come down to.
    pub layers: &'a [Layer],
    /// What all their packets match; of several, one.
    pub matches: Vec<Vec<Match>>,
}

impl Leaving {
    /// [`Hook::Leaving`] or [`Hook::Forward`].
    pub fn new(hook: Hook) -> Self {
        Self { hook, refused: vec![], counted: vec![] }
    }

    pub fn add(
        &mut self,
        whose: &Whose,
        sessions: &[&SessionPlan],
        budget: &mut usize,
        script: &mut Script,
    ) -> Result<(), TooManyPieces> {
        let of_members = || whose.members.iter().map(|&index| sessions[index]);
        if of_members().any(|session| session.plan.reject != <_>::default()) {
            // other machines' questions are not captured
            let names = self.hook == Hook::Leaving;
            let refused = reject::rules(whose, names, sessions, budget, script)?;
            self.refused.extend(whose.jumps("refused", refused, None, script));
        }
        if of_members().any(|session| session.meter.is_some()) {
            let counted = meter::rules(whose, sessions, script);
            // the kernel acknowledges the end of a connection when its cgroup is not known any more
            let of_program = (self.hook == Hook::Leaving).then_some(Match::OfProgram);
            self.counted.extend(whose.jumps("around", counted, of_program.as_ref(), script));
        }
        Ok(())
    }

    /// Nothing where nobody wants anything.
    pub fn finish(self, exempt: impl Iterator<Item = Rule>, script: &mut Script) {
        if self.refused.is_empty() && self.counted.is_empty() {
            return;
        }
        let nearby = nearby(script).map(|item| Rule::returning([item]));
        // what leaves by a device for UDP goes through the tunnel
        let device = [Rule::returning([Match::ToDevice])];
        let passing = always_open().into_iter().chain(device).chain(nearby).chain(exempt);
        script.chains.push(self.hook.chain(passing.chain(self.refused).chain(self.counted).collect()));
    }
}

/// No router passes it on, so it cannot go around anything. The last are the addresses that are used on one link only
/// (`fe80::/10`, RFC 4291; 169.254.0.0/16, RFC 3927).
fn nearby(script: &mut Script) -> [Match; 4] {
    let v4 = Elements::Ranges(vec![(0xa9fe_0000, 0xa9fe_ffff)]);
    let v6 = Elements::Ranges(vec![(0xfe80 << 112, (0xfec0 << 112) - 1)]);
    let mut on_link = |family, elements| Match::Destination(family, script.set("on_link", family, elements));
    [Match::Multicast, Match::Broadcast, on_link(Family::V4, v4), on_link(Family::V6, v6)]
}

impl Whose<'_> {
    fn jumps(&self, what: &str, rules: Vec<Rule>, only: Option<&Match>, script: &mut Script) -> Vec<Rule> {
        if rules.is_empty() {
            return vec![];
        }
        let chain = script.chain(&format!("{}_{what}", self.label), rules);
        let jump = |items: &Vec<Match>| {
            let items: Vec<_> = only.into_iter().chain(items).cloned().collect();
            Rule::new(items, Verdict::Jump(chain.clone()))
        };
        self.matches.iter().map(jump).collect()
    }
}
