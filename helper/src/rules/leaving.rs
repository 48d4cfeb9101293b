//! What leaves this machine, behind everything that captures: refused where a plan says so, else counted. Pure.
//!
//! ```text
//! leaving (hook)    what is nobody's business; then jumps for each scope, the narrower first
//! <scope>_refused   only what begins: DNS over TLS, networks, QUIC
//! <scope>_around    what goes to a session's routes, to the chain that counts for it
//! ```

use super::{
    SessionPlan,
    block::always_open,
    flatten::{Layer, TooManyPieces},
    meter, reject,
    scope::Scope,
    script::{Hook, Match, Rule, Script, Verdict},
};

/// The chain, as it grows by one scope after the other.
#[derive(Default)]
pub struct Leaving {
    refused: Vec<Rule>,
    counted: Vec<Rule>,
}

impl Leaving {
    /// The routes of these sessions make these layers.
    pub fn add(
        &mut self,
        (scope, members): (Scope, &[usize]),
        sessions: &[&SessionPlan],
        layers: &[Layer],
        budget: &mut usize,
        script: &mut Script,
    ) -> Result<(), TooManyPieces> {
        let label = scope.name();
        if members.iter().any(|&index| sessions[index].plan.reject != <_>::default()) {
            let refused = reject::rules(&label, members, sessions, layers, budget, script)?;
            push_jump(&mut self.refused, scope, &format!("{label}_refused"), refused, script);
        }
        if members.iter().any(|&index| sessions[index].meter.is_some()) {
            let counted = meter::rules(&label, sessions, layers, script);
            push_jump(&mut self.counted, scope, &format!("{label}_around"), counted, script);
        }
        Ok(())
    }

    /// Nothing where nobody wants anything.
    pub fn finish(self, exempt: &[Rule], script: &mut Script) {
        if self.refused.is_empty() && self.counted.is_empty() {
            return;
        }
        let nearby = [Match::Multicast, Match::Broadcast].map(|item| Rule::returning([item]));
        let passing = always_open().into_iter().chain(nearby).chain(exempt.iter().cloned());
        script.chains.push(Hook::Leaving.chain(passing.chain(self.refused).chain(self.counted).collect()));
    }
}

fn push_jump(jumps: &mut Vec<Rule>, scope: Scope, label: &str, rules: Vec<Rule>, script: &mut Script) {
    if !rules.is_empty() {
        jumps.push(Rule::new(scope.matches(), Verdict::Jump(script.chain(label, rules))));
    }
}
