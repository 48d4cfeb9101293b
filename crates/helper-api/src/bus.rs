//! The helper on the system bus. A client calls [`OPEN`] there once; all further talk is on the socket it returns.
//!
//! | method | answer | who |
//! |---|---|---|
//! | `Open()` | `h`, a stream socket for `wire` | users with a grant, and root |
//! | `SetUp(s grant)` | | asks polkit for [`ACTION_SET_UP`], then records the caller's grant |
//! | `Grants()` | `a(us)`: uid and grant | everybody |
//! | `Revoke(u uid)` | | one's own at once; another's after [`ACTION_SET_UP`] |
//! | `Restore()` | `u`: how many were opened | one's own leftovers at once; with others' after [`ACTION_REPAIR`] |
//!
//! Properties: `Epoch` (`q`), `Revision` (`q`), `Version` (`s`).

use crate::Grant;

/// On the system bus.
pub const NAME: &str = "org.ropeway.Helper1";
pub const PATH: &str = "/org/ropeway/Helper1";
pub const INTERFACE: &str = "org.ropeway.Helper1";

pub const OPEN: &str = "Open";
pub const SET_UP: &str = "SetUp";
pub const GRANTS: &str = "Grants";
pub const REVOKE: &str = "Revoke";
pub const RESTORE: &str = "Restore";

/// polkit: an administrator allows a user to use the helper (`auth_admin`).
pub const ACTION_SET_UP: &str = "org.ropeway.helper.setup";
/// polkit: an administrator opens what other users' tunnels left closed (`auth_admin`).
pub const ACTION_REPAIR: &str = "org.ropeway.helper.repair";

/// The user has no grant.
pub const ERROR_NOT_GRANTED: &str = "org.ropeway.Helper1.Error.NotGranted";
/// polkit said no, or nobody answered its question.
pub const ERROR_DENIED: &str = "org.ropeway.Helper1.Error.Denied";
/// Too many connections of one user.
pub const ERROR_LIMIT: &str = "org.ropeway.Helper1.Error.Limit";
/// An argument that means nothing.
pub const ERROR_INVALID: &str = "org.ropeway.Helper1.Error.Invalid";
/// The helper could not do it.
pub const ERROR_FAILED: &str = "org.ropeway.Helper1.Error.Failed";

impl Grant {
    /// As it is written on the bus, in the file of grants and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::All => "all",
        }
    }

    /// The other direction of [`Grant::name`].
    pub fn named(name: &str) -> Option<Self> {
        [Self::Own, Self::All].into_iter().find(|grant| grant.name() == name)
    }
}
