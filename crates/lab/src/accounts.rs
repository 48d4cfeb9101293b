//! Who programs on a host are.

use std::path::PathBuf;

/// The normal user's number on jump and server. No distribution hands it out, so it is nobody else's.
pub const LAB_ID: u32 = 59_001;

/// Somebody with processes and files on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Who looks after the host.
    Root,
    /// Who sits before the client: no privilege at all.
    Person,
}

impl Account {
    /// The user's number, which is also the group's.
    pub fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Person => 59_002,
        }
    }

    /// The name to sign in with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Person => "ada",
        }
    }

    /// Below the host's folder.
    pub fn home(self) -> PathBuf {
        PathBuf::from("home").join(self.name())
    }

    /// Sockets of a session, below the host's `run`.
    pub fn runtime(self) -> PathBuf {
        PathBuf::from("user").join(self.id().to_string())
    }
}
