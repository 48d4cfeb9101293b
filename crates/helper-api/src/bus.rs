//! The helper on the system bus. A client calls [`OPEN`] there once; all further talk is on the socket it returns.
//!
//! | method | answer | who |
//! |---|---|---|
//! | `Open()` | `h`, a stream socket for `wire` | users with a grant, and root |
//! | `SetUp(s grant)` | | asks polkit for [`ACTION_SET_UP_OWN`] or [`ACTION_SET_UP_ALL`], then records the caller's grant |
//! | `Grants()` | `a(us)`: uid and grant | root sees all, everybody else their own |
//! | `Revoke(u uid)` | | one's own at once; another's after [`ACTION_REVOKE`] |
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

/// polkit: an administrator lets a user send their own traffic through tunnels (`auth_admin`).
pub const ACTION_SET_UP_OWN: &str = "org.ropeway.helper.setup-own";
/// polkit: an administrator lets a user send everybody's traffic, DNS and host names through tunnels (`auth_admin`).
pub const ACTION_SET_UP_ALL: &str = "org.ropeway.helper.setup-all";
/// polkit: an administrator takes away another user's grant (`auth_admin`).
pub const ACTION_REVOKE: &str = "org.ropeway.helper.revoke";
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
