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
    flatten::{Layer, TooManyPieces},
    meter, reject,
    script::{Hook, Match, Rule, Script, Verdict},
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
            self.refused.extend(whose.jumps("refused", refused, script));
        }
        if of_members().any(|session| session.meter.is_some()) {
            let counted = meter::rules(whose, sessions, script);
            self.counted.extend(whose.jumps("around", counted, script));
        }
        Ok(())
    }

    /// Nothing where nobody wants anything.
    pub fn finish(self, exempt: impl Iterator<Item = Rule>, script: &mut Script) {
        if self.refused.is_empty() && self.counted.is_empty() {
            return;
        }
        let nearby = [Match::Multicast, Match::Broadcast].map(|item| Rule::returning([item]));
        let passing = always_open().into_iter().chain(nearby).chain(exempt);
        script.chains.push(self.hook.chain(passing.chain(self.refused).chain(self.counted).collect()));
    }
}

impl Whose<'_> {
    fn jumps(&self, what: &str, rules: Vec<Rule>, script: &mut Script) -> Vec<Rule> {
        if rules.is_empty() {
            return vec![];
        }
        let chain = script.chain(&format!("{}_{what}", self.label), rules);
        self.matches.iter().map(|items| Rule::new(items.clone(), Verdict::Jump(chain.clone()))).collect()
    }
}
