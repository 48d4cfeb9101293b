//! How much of a table one user may have, so that nobody can use up what others need. Pure.

use std::collections::BTreeSet;

use super::{LoadError, Script, flatten::MAX_PIECES};

/// Sets of one user: each is looked up by name when a table changes, and named in a rule that connections pass. A plan
/// with every port range that is allowed needs two for each family.
const MAX_SETS: usize = 4096;

/// The pieces that these users may have together.
pub fn for_all(users: impl Iterator<Item = u32>) -> usize {
    MAX_PIECES * users.collect::<BTreeSet<_>>().len()
}

/// `alone` is what one user wants, rendered without the others.
pub fn check(alone: &Script) -> Result<(), LoadError> {
    if alone.sets.len() > MAX_SETS { Err(LoadError::TooManySets) } else { Ok(()) }
}
