//! The tunnels that are up, for who wants to know what each would do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::reach::Current;
use crate::{api::ProfileId, link::Link, names::ask::Asker};

/// One of them.
#[derive(Clone)]
pub struct Up {
    /// Of its profile.
    pub name: String,
    pub current: Arc<Current>,
    pub link: Link,
    pub asker: Asker,
}

/// All of this engine.
#[derive(Default)]
pub struct Ups(Mutex<BTreeMap<ProfileId, Up>>);

impl Ups {
    /// Is up until the guard is dropped.
    pub fn add(self: &Arc<Self>, profile: ProfileId, up: Up) -> Guard {
        self.all_by_id().insert(profile.clone(), up);
        Guard { ups: self.clone(), profile }
    }

    /// In the order of their profiles' ids.
    pub fn all(&self) -> Vec<Up> {
        self.all_by_id().values().cloned().collect()
    }

    fn all_by_id(&self) -> MutexGuard<'_, BTreeMap<ProfileId, Up>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is up.
pub struct Guard {
    ups: Arc<Ups>,
    profile: ProfileId,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ups.all_by_id().remove(&self.profile);
    }
}
