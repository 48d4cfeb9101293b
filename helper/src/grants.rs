//! Which users may use the helper, and for what. An administrator decides it once; root needs nobody's leave.

use std::{
    collections::BTreeMap,
    io::{
        self,
        ErrorKind::{InvalidData, UnexpectedEof},
    },
};

use ropeway_helper_api::Grant;

use crate::store::Store;

/// In the store.
const FILE: &str = "grants";

/// The recorded grants. Read anew for each question: set-up may write the file while a helper runs, so who changes it
/// does that alone.
#[derive(Debug, Clone)]
pub struct Grants {
    store: Store,
}

impl Grants {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// An error is no answer: nobody loses anything because of a file that cannot be read for a moment.
    pub fn of(&self, uid: u32) -> io::Result<Option<Grant>> {
        if uid == 0 { Ok(Some(Grant::All)) } else { Ok(self.recorded()?.get(&uid).copied()) }
    }

    /// In the order of the uids. Root's is not recorded.
    pub fn list(&self) -> io::Result<impl Iterator<Item = (u32, Grant)>> {
        Ok(self.recorded()?.into_iter())
    }

    /// Returns what was there before.
    pub fn record(&mut self, uid: u32, grant: Grant) -> io::Result<Option<Grant>> {
        let _alone = self.store.lock_file(FILE)?;
        let mut wanted = self.recorded()?;
        let before = wanted.insert(uid, grant);
        self.store.write(FILE, &wanted)?;
        Ok(before)
    }

    /// Returns what was there before.
    pub fn revoke(&mut self, uid: u32) -> io::Result<Option<Grant>> {
        let _alone = self.store.lock_file(FILE)?;
        let mut wanted = self.recorded()?;
        let before = wanted.remove(&uid);
        if before.is_some() {
            self.store.write(FILE, &wanted)?;
        }
        Ok(before)
    }

    /// What is no file of ours grants nobody anything (to ask again is a nuisance, to guess is a hole), and is kept under
    /// another name, for a person to look at.
    fn recorded(&self) -> io::Result<BTreeMap<u32, Grant>> {
        match self.store.read(FILE) {
            Ok(recorded) => Ok(recorded.unwrap_or_default()),
            Err(error) if matches!(error.kind(), InvalidData | UnexpectedEof) => {
                tracing::error!(%error, "the file of grants is damaged: nobody has one");
                self.store.set_aside(FILE).map(|()| BTreeMap::new())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn grants_outlive_the_process_until_they_are_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Grants::new(Store::new(folder.path()));
        assert_eq!(read().of(1000).unwrap(), None);
        assert_eq!(read().record(1000, Grant::Own).unwrap(), None);
        assert_eq!(read().record(1000, Grant::All).unwrap(), Some(Grant::Own));
        read().record(1001, Grant::Own).unwrap();
        assert_eq!(read().list().unwrap().collect::<Vec<_>>(), [(1000, Grant::All), (1001, Grant::Own)]);
        assert_eq!(read().revoke(1000).unwrap(), Some(Grant::All));
        assert_eq!(read().revoke(1000).unwrap(), None);
        assert_eq!((read().of(1000).unwrap(), read().of(1001).unwrap()), (None, Some(Grant::Own)));
    }

    #[test]
    fn changes_at_the_same_time_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let of = |task: u32| (task * 10..).take(10);
        std::thread::scope(|scope| {
            for task in 0..4 {
                let mut grants = Grants::new(Store::new(folder.path()));
                scope.spawn(move || {
                    scope.spawn(move || {
                        for uid in of(task) {
                            assert_eq!(grants.record(uid, Grant::Own).unwrap(), None);
                        }
                    });
                });
            }
        });
        let all: Vec<_> =
            Grants::new(Store::new(folder.path())).list().unwrap().map(|(uid, _)| uid).collect();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn root_needs_none() {
        let folder = tempfile::tempdir().unwrap();
        let grants = Grants::new(Store::new(folder.path()));
        assert_eq!(grants.of(0).unwrap(), Some(Grant::All));
        assert_eq!(grants.list().unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_grants_nobody_and_is_kept_aside() {
        for damage in [
            &b"{\"1000\":\"al"[..],
            b"",
            b"\xff\x00",
            b"[1000]",
            b"{\"1000\":\"everything\"}",
            b"{\"-1\":\"all\"}",
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("grants"), damage).unwrap();
            let mut grants = Grants::new(Store::new(folder.path()));
            assert_eq!(grants.of(1000).unwrap(), None);
            assert_eq!(fs::read(folder.path().join("grants.damaged")).unwrap(), damage);
            grants.record(1001, Grant::Own).unwrap();
            assert_eq!(
                Grants::new(Store::new(folder.path())).list().unwrap().collect::<Vec<_>>(),
                [(1001, Grant::Own)]
            );
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_in_force() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut grants = Grants::new(Store::new(folder.path().join("file")));
        grants.record(1000, Grant::All).unwrap_err();
        grants.of(1000).unwrap_err();
    }
}
