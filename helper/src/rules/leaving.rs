//! What leaves this machine, behind everything that captures: refused where a plan says so. Pure.
//!
//! ```text
//! leaving (hook)    what is nobody's business; then one jump for each scope, the narrower first
//! <scope>_refused   only what begins: DNS over TLS, networks, QUIC
//! ```

use super::{
    SessionPlan,
    block::always_open,
    flatten::{Layer, TooManyPieces},
    reject,
    scope::Scope,
    script::{Hook, Match, Rule, Script, Verdict},
};

/// The chain, as it grows by one scope after the other.
#[derive(Default)]
pub struct Leaving {
    refused: Vec<Rule>,
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
        Ok(())
    }

    /// Nothing where nobody wants anything.
    pub fn finish(self, exempt: &[Rule], script: &mut Script) {
        if self.refused.is_empty() {
            return;
        }
        let nearby = [Match::Multicast, Match::Broadcast].map(|item| Rule::returning([item]));
        let passing = always_open().into_iter().chain(nearby).chain(exempt.iter().cloned());
        script.chains.push(Hook::Leaving.chain(passing.chain(self.refused).collect()));
    }
}

fn push_jump(jumps: &mut Vec<Rule>, scope: Scope, label: &str, rules: Vec<Rule>, script: &mut Script) {
    if !rules.is_empty() {
        jumps.push(Rule::new(scope.matches(), Verdict::Jump(script.chain(label, rules))));
    }
}
