//! What is known of the helper, and what follows from it.

use ropeway_helper_api::{EPOCH, Grant};

use crate::api::{GrantRow, GrantScope, HelperSetup, HelperState, Leftovers};

/// Found out anew for each question: somebody else may install or remove it at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The user who asks; 0 is root.
    pub uid: u32,
    /// Whether the bus has it, or can start it.
    pub there: bool,
    /// Whether this app put it there.
    pub ours: bool,
    /// What it said; None when it is not there or does not answer.
    pub answer: Option<Answer>,
}

/// What a helper says of itself to everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub epoch: u16,
    pub version: String,
    /// Uids and what they were allowed.
    pub grants: Vec<(u32, Grant)>,
}

/// How a set-up goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The helper asks the administrator, and notes the answer.
    Ask,
    /// It is put in its place first: none is there, or ours does not work with this app.
    Install,
    /// Only the package manager can help.
    Package,
}

impl Facts {
    pub fn way(&self) -> Way {
        let fits = self.answer.as_ref().is_some_and(|answer| answer.epoch == EPOCH);
        match self {
            Self { there: false, .. } => Way::Install,
            Self { ours: true, .. } if !fits => Way::Install,
            // one that does not answer is asked all the same: what the bus says then is the best explanation
            Self { answer: Some(_), .. } if !fits => Way::Package,
            _ => Way::Ask,
        }
    }

    pub fn setup(&self) -> HelperSetup {
        match self {
            Self { there: false, uid: 0, .. } => HelperSetup::Own,
            Self { there: false, .. } => HelperSetup::Missing,
            Self { answer: Some(answer), .. } if answer.epoch != EPOCH => HelperSetup::Old,
            Self { ours: true, .. } => HelperSetup::Installed,
            Self { .. } => HelperSetup::Packaged,
        }
    }

    /// What this user may ask for.
    pub fn grant(&self) -> Option<Grant> {
        let of_me = |(uid, grant): &(u32, Grant)| (*uid == self.uid).then_some(*grant);
        match self.uid {
            0 => Some(Grant::All),
            _ => self.answer.as_ref()?.grants.iter().find_map(of_me),
        }
    }

    /// For settings; `name` knows users.
    pub fn state(&self, leftovers: Leftovers, name: impl Fn(u32) -> String) -> HelperState {
        let grants = self.answer.iter().flat_map(|answer| &answer.grants);
        HelperState {
            setup: self.setup(),
            version: self.answer.as_ref().map(|answer| answer.version.clone()),
            grant: self.grant().map(GrantScope::from),
            grants: grants
                .map(|&(uid, grant)| GrantRow {
                    uid,
                    name: name(uid),
                    grant: grant.into(),
                    me: uid == self.uid,
                })
                .collect(),
            leftovers,
        }
    }
}

impl From<Grant> for GrantScope {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Own => Self::Own,
            Grant::All => Self::All,
        }
    }
}

impl From<GrantScope> for Grant {
    fn from(scope: GrantScope) -> Self {
        match scope {
            GrantScope::Own => Self::Own,
            GrantScope::All => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(epoch: u16) -> Answer {
        let grants = vec![(1000, Grant::Own), (1001, Grant::All)];
        Answer { epoch, version: "1.2.3".into(), grants }
    }

    /// Every combination: what settings say, and what a set-up would do.
    #[test]
    fn what_is_found_decides_what_is_said_and_done() {
        let nothing = Facts { uid: 1000, ..Facts::default() };
        let packaged = Facts { there: true, answer: Some(answer(EPOCH)), ..nothing.clone() };
        let ours = Facts { ours: true, ..packaged.clone() };
        let old = |facts: &Facts| Facts { answer: Some(answer(EPOCH + 1)), ..facts.clone() };
        let silent = |facts: &Facts| Facts { answer: None, ..facts.clone() };
        let root = Facts { uid: 0, ..nothing.clone() };
        let root_too = Facts { uid: 0, ..packaged.clone() };
        for (facts, setup, way) in [
            (&nothing, HelperSetup::Missing, Way::Install),
            (&root, HelperSetup::Own, Way::Install),
            (&root_too, HelperSetup::Packaged, Way::Ask),
            (&packaged, HelperSetup::Packaged, Way::Ask),
            (&ours, HelperSetup::Installed, Way::Ask),
            (&old(&packaged), HelperSetup::Old, Way::Package),
            (&old(&ours), HelperSetup::Old, Way::Install),
            (&silent(&packaged), HelperSetup::Packaged, Way::Ask),
            (&silent(&ours), HelperSetup::Installed, Way::Install),
            // a leftover of ours that no bus knows
            (&Facts { there: false, ..silent(&ours) }, HelperSetup::Missing, Way::Install),
        ] {
            assert_eq!((facts.setup(), facts.way()), (setup, way), "{facts:?}");
        }
    }

    #[test]
    fn grants_are_everybodys_and_one_of_them_is_mine() {
        let facts = Facts { uid: 1001, there: true, ours: true, answer: Some(answer(EPOCH)) };
        let state = facts.state(Leftovers { mine: 1, others: 2 }, |uid| format!("user{uid}"));
        assert_eq!((state.version.as_deref(), state.grant), (Some("1.2.3"), Some(GrantScope::All)));
        let rows: Vec<_> = state.grants.iter().map(|it| (it.name.as_str(), it.grant, it.me)).collect();
        assert_eq!(rows, [("user1000", GrantScope::Own, false), ("user1001", GrantScope::All, true)]);
        assert_eq!(Facts { uid: 1002, ..facts.clone() }.grant(), None);
        assert_eq!(Facts { uid: 0, ..facts }.grant(), Some(Grant::All));
    }
}
