//! Names of users. Asked of the system once for each: a directory service may take its time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use nix::unistd::{Uid, User};

/// What was asked already.
#[derive(Debug, Default)]
pub struct Users(Mutex<HashMap<u32, String>>);

impl Users {
    /// The number itself where the system has no name for it.
    pub fn name(&self, uid: u32) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(uid).or_insert_with(|| ask(uid)).clone()
    }
}

fn ask(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_name_and_a_stranger_a_number() {
        let users = Users::default();
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(3_999_999_999), "3999999999");
    }
}
