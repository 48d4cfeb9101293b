use serde::{Deserialize, Serialize};

/// What went wrong, for people: the words come from [`crate::words`], by code, so that every face says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: Code,
    /// What it is about: a server, a file, a subnet. Already in `title`.
    pub subject: String,
    /// What happened to the user.
    pub title: String,
    /// The likely cause and the way out.
    pub cause: String,
    /// The raw line (ssh's own words, the system's error); empty when there is none.
    pub detail: String,
}

/// Stable names of failures. Adding one here makes a test fail until `words` has its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Code {
    #[serde(rename = "E-AUTH-KEY")]
    AuthKey,
    #[serde(rename = "E-HOSTKEY-NEW")]
    HostKeyNew,
    #[serde(rename = "E-HOSTKEY-CHANGED")]
    HostKeyChanged,
    /// The server's name does not resolve.
    #[serde(rename = "E-SERVER-NAME")]
    ServerName,
    /// Nobody answers there: refused, unreachable, timed out.
    #[serde(rename = "E-SERVER-UNREACHABLE")]
    ServerUnreachable,
    /// ssh ended in some other way before it was signed in.
    #[serde(rename = "E-SSH")]
    Ssh,
    /// There is no ssh program, or the profile's own cannot be started.
    #[serde(rename = "E-SSH-MISSING")]
    SshMissing,
    /// The login ended while the tunnel was up.
    #[serde(rename = "E-SSH-ENDED")]
    SshEnded,
    #[serde(rename = "E-NOEXEC")]
    NoExec,
    /// The agent ended while the login lives.
    #[serde(rename = "E-AGENT-ENDED")]
    AgentEnded,
    /// No agent for this server's system, or it cannot be stored or run there.
    #[serde(rename = "E-AGENT")]
    Agent,
    /// The server's output is no agent's.
    #[serde(rename = "E-PROTOCOL")]
    Protocol,
    #[serde(rename = "E-SAME-MACHINE")]
    SameMachine,
    #[serde(rename = "E-HELPER-BUSY")]
    HelperBusy,
    #[serde(rename = "E-HELPER-OLD")]
    HelperOld,
    /// The helper cannot be started (not installed, permission not given).
    #[serde(rename = "E-HELPER-MISSING")]
    HelperMissing,
    /// This user may not use the helper (yet), or not for this.
    #[serde(rename = "E-NOT-GRANTED")]
    NotGranted,
    /// An administrator said no, or nobody answered.
    #[serde(rename = "E-DENIED")]
    Denied,
    /// The helper could not be installed, repaired or removed.
    #[serde(rename = "E-HELPER-SETUP")]
    HelperSetup,
    /// Another program removed our network rules.
    #[serde(rename = "E-FW-GONE")]
    FirewallGone,
    /// The system's hosts file could not be changed.
    #[serde(rename = "E-HOSTS")]
    Hosts,
    /// Another tunnel answers for the same names.
    #[serde(rename = "E-DNS-TAKEN")]
    DnsTaken,
    /// This system, or this helper, cannot do that.
    #[serde(rename = "E-UNSUPPORTED")]
    Unsupported,
    /// The helper ended while rules were in place.
    #[serde(rename = "E-HELPER-GONE")]
    HelperGone,
    #[serde(rename = "E-FIREWALL")]
    Firewall,
    /// Traffic cannot be held here without holding our own login, too.
    #[serde(rename = "E-CANNOT-HOLD")]
    CannotHold,
    /// No port, no descriptors, no memory on this computer.
    #[serde(rename = "E-RESOURCES")]
    Resources,
    /// No descriptors for more connections, here or on the server; those that are there go on.
    #[serde(rename = "E-TOO-MANY-OPEN")]
    TooManyOpen,
    #[serde(rename = "E-PROFILE-MISSING")]
    ProfileMissing,
    /// The profile cannot be used as it stands.
    #[serde(rename = "E-PROFILE-INVALID")]
    ProfileInvalid,
    /// The file cannot be read as a profile.
    #[serde(rename = "E-PROFILE-FILE")]
    ProfileFile,
    #[serde(rename = "E-PROFILE-SAVE")]
    ProfileSave,
    #[serde(rename = "E-IMPORT")]
    Import,
    /// Ours to fix.
    #[serde(rename = "E-INTERNAL")]
    Internal,
}

impl Code {
    /// Every code, for the tables and the tests that go over all of them.
    pub const ALL: &'static [Self] = &[
        Self::AuthKey,
        Self::HostKeyNew,
        Self::HostKeyChanged,
        Self::ServerName,
        Self::ServerUnreachable,
        Self::Ssh,
        Self::SshMissing,
        Self::SshEnded,
        Self::NoExec,
        Self::AgentEnded,
        Self::Agent,
        Self::Protocol,
        Self::SameMachine,
        Self::HelperBusy,
        Self::HelperOld,
        Self::HelperMissing,
        Self::NotGranted,
        Self::Denied,
        Self::HelperSetup,
        Self::FirewallGone,
        Self::Hosts,
        Self::DnsTaken,
        Self::Unsupported,
        Self::HelperGone,
        Self::Firewall,
        Self::CannotHold,
        Self::Resources,
        Self::TooManyOpen,
        Self::ProfileMissing,
        Self::ProfileInvalid,
        Self::ProfileFile,
        Self::ProfileSave,
        Self::Import,
        Self::Internal,
    ];
}
