//! Routes that two sessions want. Pure.

use std::collections::HashMap;

use ropeway_helper_api::{Holder, Overlap, Route, limit};

use super::{Key, SessionPlan, scope::Scope};

/// The routes of this session's plan that an earlier one of the same scope has too, and keeps; in the order of the plan,
/// at most [`limit::OVERLAPS`]. `sessions` are all, in the order in which they came.
pub fn overlaps(key: Key, sessions: &[(Key, &SessionPlan)]) -> Vec<Overlap> {
    let Some(place) = sessions.iter().position(|(other, _)| *other == key) else { return vec![] };
    let plan = sessions[place].1;
    let holders = holders(&sessions[..place], Scope::of(plan.who()));
    let wanted = plan.plan.include.iter();
    wanted
        .filter_map(|&route| {
            let &(other, uid) = holders.get(&route)?;
            Some(Overlap { route, holder: holder((key, plan.uid), (other, uid)) })
        })
        .take(limit::OVERLAPS)
        .collect()
}

fn holders(earlier: &[(Key, &SessionPlan)], scope: Option<Scope>) -> HashMap<Route, (Key, u32)> {
    let mut holders = HashMap::new();
    for (key, session) in earlier.iter().filter(|(_, session)| Scope::of(session.who()) == scope) {
        for &route in &session.plan.include {
            holders.entry(route).or_insert((*key, session.uid));
        }
    }
    holders
}

fn holder((key, uid): (Key, u32), (other, owner): (Key, u32)) -> Holder {
    if other.client == key.client {
        Holder::Session { session: other.session }
    } else if owner == uid {
        Holder::AnotherProgram
    } else {
        Holder::AnotherUser
    }
}
