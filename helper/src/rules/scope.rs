//! Whose connections a chain is for.

use std::{cmp::Reverse, collections::BTreeMap};

use ropeway_helper_api::{Capture, Grant};

use super::script::{Cgroup, Match};

/// A session's wish, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    pub capture: Capture,
    /// The cgroup of [`Capture::Cgroup`].
    pub cgroup: Option<Cgroup>,
    pub uid: u32,
    pub grant: Grant,
}

/// The narrower one is the smaller one: a connection is asked for in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    kind: Kind,
    only: Only,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    /// The deeper one is the narrower one.
    Cgroup(Reverse<u32>, u64),
    User(u32),
    Group(u32),
    Everyone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Only {
    /// With [`Grant::Own`] nobody else is meant, whatever the plan says.
    Owner(u32),
    Anybody,
}

impl Scope {
    /// None for a cgroup that nobody named.
    pub fn of(who: Who) -> Option<Self> {
        let kind = match who.capture {
            Capture::Cgroup => {
                let Cgroup { level, id } = who.cgroup?;
                Kind::Cgroup(Reverse(level), id)
            }
            Capture::User { uid } => Kind::User(uid),
            Capture::Group { gid } => Kind::Group(gid),
            Capture::Everyone => Kind::Everyone,
        };
        let only = match who.grant {
            Grant::Own if kind != Kind::User(who.uid) => Only::Owner(who.uid),
            Grant::Own | Grant::All => Only::Anybody,
        };
        Some(Self { kind, only })
    }

    /// The label of the scope's chain.
    pub fn name(self) -> String {
        let name = match self.kind {
            Kind::Cgroup(_, id) => format!("cgroup_{id}"),
            Kind::User(uid) => format!("user_{uid}"),
            Kind::Group(gid) => format!("group_{gid}"),
            Kind::Everyone => "everyone".into(),
        };
        match self.only {
            Only::Owner(uid) => format!("{name}_of_{uid}"),
            Only::Anybody => name,
        }
    }

    pub fn matches(self) -> Vec<Match> {
        let kind = match self.kind {
            Kind::Cgroup(Reverse(level), id) => Some(Match::Cgroup(Cgroup { level, id })),
            Kind::User(uid) => Some(Match::User(uid)),
            Kind::Group(gid) => Some(Match::Group(gid)),
            Kind::Everyone => None,
        };
        let owner = match self.only {
            Only::Owner(uid) => Some(Match::User(uid)),
            Only::Anybody => None,
        };
        owner.into_iter().chain(kind).collect()
    }
}

/// The members of each scope by their places in the list, the narrowest scope first.
pub fn scopes(wishes: impl IntoIterator<Item = Who>) -> BTreeMap<Scope, Vec<usize>> {
    let mut scopes: BTreeMap<Scope, Vec<usize>> = BTreeMap::new();
    for (index, who) in wishes.into_iter().enumerate() {
        if let Some(scope) = Scope::of(who) {
            scopes.entry(scope).or_default().push(index);
        }
    }
    scopes
}
