//! Networks that another session has already, in words.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ropeway_helper_api::{Holder, Overlap, Route, SessionId};

use crate::{api::Conflict, subnet::Subnet};

/// Which profile is behind a session of this engine.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<SessionId, String>>);

impl Names {
    pub fn set(&self, session: SessionId, name: &str) {
        self.names().insert(session, name.to_owned());
    }

    fn of(&self, session: SessionId) -> String {
        self.names().get(&session).cloned().unwrap_or_else(|| "another profile".into())
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<SessionId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each typed network once for each holder, in the order of the profile.
pub fn conflicts(overlaps: &[Overlap], include: &[(String, Subnet)], names: &Names) -> Vec<Conflict> {
    let mut conflicts = vec![];
    for overlap in overlaps {
        let conflict =
            Conflict { subnet: typed(overlap.route, include), holder: holder(overlap.holder, names) };
        if !conflicts.contains(&conflict) {
            conflicts.push(conflict);
        }
    }
    conflicts
}

fn typed(route: Route, include: &[(String, Subnet)]) -> String {
    let found = include.iter().find(|(_, subnet)| subnet.routes().any(|other| other == route));
    found.map_or_else(|| route.net.to_string(), |(typed, _)| typed.clone())
}

fn holder(holder: Holder, names: &Names) -> String {
    match holder {
        Holder::Session { session } => names.of(session),
        Holder::AnotherProgram => "another program of yours".into(),
        Holder::AnotherUser => "another user of this computer".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Profile, profile};

    #[test]
    fn the_typed_network_and_its_holder_are_named_once() {
        let subnets = vec!["10/8".into(), "192.0.2.1".into(), "fd00::/8".into()];
        let typed = Profile { name: "test".into(), subnets, ..Profile::default() };
        let parsed = profile::parse(&typed).unwrap();
        let names = Names::default();
        names.set(SessionId(7), "Work");
        let overlap =
            |net: &str, holder| Overlap { route: Route::from(net.parse::<ipnet::IpNet>().unwrap()), holder };
        let work = Holder::Session { session: SessionId(7) };
        let overlaps = [
            overlap("10.0.0.0/8", work),
            overlap("10.0.0.0/8", work),
            overlap("192.0.2.1/32", Holder::AnotherProgram),
            overlap("fd00::/8", Holder::AnotherUser),
        ];
        let shown: Vec<_> = conflicts(&overlaps, &parsed.include, &names)
            .into_iter()
            .map(|it| (it.subnet, it.holder))
            .collect();
        let expected = [
            ("10/8", "Work"),
            ("192.0.2.1", "another program of yours"),
            ("fd00::/8", "another user of this computer"),
        ];
        assert_eq!(shown, expected.map(|(subnet, holder)| (subnet.to_owned(), holder.to_owned())));
    }
}
