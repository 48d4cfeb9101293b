//! What faces say to the engine and hear from it. Every type here is plain data; `ui/src/lib/bindings.ts` is
//! generated from it by a test, which fails when that file is not what these types say.

#[cfg(test)]
mod bindings;
mod connections;
mod explain;
mod failure;
mod helper;
mod hosts;
mod leaks;
mod profile;
mod status;

pub use connections::{ConnectionRow, ConnectionState, ConnectionsDelta, Totals};
pub use explain::{Explained, ExplainedAddress, ServerView};
pub use failure::{Code, Failure};
pub use helper::{GrantRow, GrantScope, HelperSetup, HelperState, Leftovers};
pub use hosts::{HostRow, HostSource, HostState, HostsDelta};
pub use leaks::{LeakCount, Leaks};
pub use profile::{
    BrokenProfile, Checked, Expansion, Field, ImportPreview, ImportedProfile, Names, Note, NoteKind, Problem,
    Profile, ProfileId, Reach, WhileDown,
};
pub use status::{Conflict, Phase, Status};

use serde::{Deserialize, Serialize};

/// What a face asks. Each is answered by one [`Reply`] or a [`Failure`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Command {
    /// Starts the tunnel; answered at once, its course is told by `Event::Status`.
    Connect {
        profile: ProfileId,
    },
    /// Ends it; answered when rules and ssh are gone.
    Disconnect {
        profile: ProfileId,
    },
    DisconnectAll,
    /// Connects when off, disconnects (or cancels) otherwise: a click on the tray's item or the window's switch.
    Toggle {
        profile: ProfileId,
    },
    /// Ends it and begins anew, with what the profile says now; answered when it begins.
    Reconnect {
        profile: ProfileId,
    },
    /// Connects a profile that is not saved; it is forgotten when the engine ends. For `ropeway run`.
    Run {
        profile: Profile,
    },
    /// What is wrong with the profile and what its subnets mean; nothing is saved. For "validated as you type".
    Check {
        profile: Profile,
    },
    /// Saves; an empty id makes a new profile. Answered `Saved`, or `Checked` with problems when it is not valid.
    Save {
        profile: Profile,
    },
    Delete {
        profile: ProfileId,
    },
    /// Reads the text of a file: our TOML or an sshuttle command line. Changes nothing.
    PreviewImport {
        text: String,
    },
    /// Imports all that the preview showed without problems.
    Import {
        text: String,
    },
    /// Resets one connection of the live table.
    CloseConnection {
        connection: u64,
    },
    /// What becomes of a connection to a host, an address or a URL, and why.
    Explain {
        what: String,
    },
    /// All profiles and their states, once.
    Status,
    /// What went around the tunnel to its networks.
    Leaks {
        profile: ProfileId,
    },
    /// The privileged helper: whether it is there, who may use it.
    Helper,
    /// Installs the helper when it is missing or old, and asks an administrator to allow this user to use it. Answered
    /// when they have.
    SetUpHelper {
        grant: GrantScope,
    },
    /// Takes away what a user was allowed.
    RevokeGrant {
        uid: u32,
    },
    /// Removes the helper and all that belongs to it; not one that a package manager looks after.
    RemoveHelper,
    /// Opens what crashed tunnels left closed; `everybody`'s after an administrator has agreed.
    RestoreNetwork {
        everybody: bool,
    },
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Reply {
    Done,
    Running {
        profile: ProfileId,
    },
    Saved {
        profile: ProfileId,
    },
    Checked {
        checked: Checked,
    },
    Preview {
        preview: ImportPreview,
    },
    Imported {
        profiles: Vec<ProfileId>,
    },
    Leaks {
        leaks: Leaks,
    },
    Helper {
        helper: HelperState,
    },
    Explained {
        explained: Explained,
    },
    Statuses {
        profiles: Vec<Profile>,
        statuses: Vec<Status>,
    },
    /// How many were opened.
    Restored {
        count: u32,
    },
}

/// What a face hears. A subscription starts with `Profiles` and one `Status` for each profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
// The big variant is rare and short-lived; a box would leak into every face that matches on it.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// The whole list, in the order to show; sent again whenever it changes.
    Profiles {
        profiles: Vec<Profile>,
        broken: Vec<BrokenProfile>,
    },
    Status {
        status: Status,
    },
    /// Sent when it is known and whenever it changes.
    Helper {
        helper: HelperState,
    },
    /// Only to subscriptions that asked for connections; at most 5 a second.
    Connections {
        delta: ConnectionsDelta,
    },
    /// Of every tunnel that was switched on, every few seconds, only to subscriptions that asked for connections.
    Leaks {
        profile: ProfileId,
        leaks: Leaks,
    },
    /// Only to subscriptions that asked for hosts; at most 2 a second.
    Hosts {
        delta: HostsDelta,
    },
}

/// What a subscription wants besides profiles and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Interest {
    /// And what goes around tunnels.
    pub connections: bool,
    /// Names that were found near servers.
    pub hosts: bool,
}
