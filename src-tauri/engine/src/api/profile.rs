use serde::{Deserialize, Serialize};

/// Names a profile: the stem of its file, `[a-z0-9-]{1,64}`, made from its name when it is first saved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(transparent)]
pub struct ProfileId(pub String);

impl ProfileId {
    /// Of a profile that is in no file. A capital letter, so that no file's id is ever the same.
    pub(crate) fn unsaved(number: u32) -> Self {
        Self(format!("Unsaved-{number}"))
    }

    pub(crate) fn is_unsaved(&self) -> bool {
        self.0.starts_with("Unsaved-")
    }
}

/// A saved server and its networks, as typed by a person; nothing here is parsed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Empty for one that was never saved.
    #[serde(default)]
    pub id: ProfileId,
    pub name: String,
    /// `[user@]host[:port]` or an alias of ~/.ssh/config; empty = this computer.
    pub server: String,
    /// Instead of `ssh`: a program and its options, tokenised like a shell does, run without one. Empty = `ssh`.
    #[serde(default)]
    pub ssh_command: String,
    /// What goes through, in the subnet grammar.
    pub subnets: Vec<String>,
    /// What does not.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// Whose traffic, as typed: empty for one's own (root: everybody's), `everyone`, `user:NAME`, `group:NAME`,
    /// `cgroup:PATH`.
    #[serde(default)]
    pub capture: String,
    /// What happens to the traffic while the tunnel is down.
    #[serde(default)]
    pub while_down: WhileDown,
    /// What is done against latency, as typed: empty (or `adaptive`) to follow the link, a number of bytes that may be
    /// under way, `unlimited`.
    #[serde(default)]
    pub latency: String,
    /// Names: who answers for them, and which are looked for.
    #[serde(default)]
    pub names: Names,
    /// What else goes through, and whose.
    #[serde(default)]
    pub reach: Reach,
    /// "This computer": its networks can be edited, the rest is fixed, and deleting it forgets them.
    #[serde(default)]
    pub built_in: bool,
}

/// What a profile wants of names; everything as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Names {
    /// Questions to name servers are answered on the server.
    pub dns: bool,
    /// Only questions about these domains and what is below them; empty = all.
    pub domains: Vec<String>,
    /// Who is asked on the server, `ip` or `ip@port`; empty = the server's own name servers.
    pub name_servers: Vec<String>,
    /// Only questions that programs send to these name servers; empty = whichever they ask.
    pub ns_hosts: Vec<String>,
    /// Names of computers near the server are looked for, and put into this computer's hosts file.
    pub auto_hosts: bool,
    /// Names to look for in any case.
    pub seed_hosts: Vec<String>,
    /// Put behind names that are found (`db.work`), so that two networks' do not collide; empty = nothing.
    pub suffix: String,
}

/// What goes through beside the networks that are named, and whose traffic beside this computer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Reach {
    /// The networks of the server's routing table.
    pub auto_nets: bool,
    /// Also networks that this computer is in itself, which are left out otherwise.
    pub local_networks: bool,
    /// UDP and ping.
    pub udp: bool,
    /// What comes in on these interfaces goes through as well: `containers`, `vms`, `lan`, or an interface's name.
    pub share: Vec<String>,
}

/// What happens to traffic for a profile's networks while its tunnel is switched on and not up, also after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum WhileDown {
    /// It goes its usual way.
    #[default]
    Open,
    /// Traffic to the profile's networks is rejected.
    Networks,
    /// All traffic is rejected, but for the profile's excludes.
    Everything,
}

/// A file that is there and cannot be used; it is never touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BrokenProfile {
    pub file: String,
    pub failure: super::Failure,
}

/// A part of the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Field {
    Name,
    Server,
    SshCommand,
    Subnets,
    Excludes,
    Capture,
    Latency,
    Domains,
    NameServers,
    NsHosts,
    SeedHosts,
    Suffix,
    Share,
}

/// What is wrong at which field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub field: Field,
    /// Which entry, where the field is a list.
    pub index: Option<u32>,
    /// First and last character that are wrong (0-based, in characters, end exclusive), where it can be said.
    pub span: Option<(u32, u32)>,
    pub message: String,
    /// What was probably meant; replaces the entry.
    pub suggestion: Option<String>,
}

/// What a typed subnet means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Expansion {
    pub field: Field,
    pub index: u32,
    pub typed: String,
    /// `10.0.0.0/8`, `[fd00::/8]:443`.
    pub means: String,
    /// "16 777 216 addresses", "everything".
    pub note: String,
}

/// The result of [`super::Command::Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Empty = it can be saved.
    pub problems: Vec<Problem>,
    pub expansions: Vec<Expansion>,
}

/// What an import would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ImportPreview {
    /// "sshuttle command line", "Ropeway profile".
    pub source: String,
    pub profiles: Vec<ImportedProfile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ImportedProfile {
    pub profile: Profile,
    pub checked: Checked,
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Note {
    pub kind: NoteKind,
    /// The part of the input, literally.
    pub about: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    Kept,
    Repaired,
    Dropped,
    /// Runs a program, captures more than it says, …
    Danger,
}
