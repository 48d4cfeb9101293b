//! Saved profiles: what a typed one means ([`parse`], [`check`]; pure) and where they are kept ([`Store`]).
//!
//! Nothing here connects. The types that people and faces see are in [`crate::api`];
//! [`Parsed`] is what the engine runs.

mod capture;
mod check;
pub(crate) mod file;
mod id;
pub mod latency;
mod names;
mod server;
mod store;

use ropeway_mux::Latency;

use crate::{
    api::{Checked, Code, Failure, Field, Problem, Profile, Reach, WhileDown},
    subnet::{Named, Subnet},
};

pub use capture::Capture;
pub(crate) use names::name;
pub use names::{Dns, Hosts, Names};
pub use server::Server;
pub(crate) use store::disk;
pub use store::{BUILT_IN, Store};

/// A profile without mistakes, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// None = this computer.
    pub server: Option<Server>,
    /// The program and its options; never empty.
    pub ssh_command: Vec<String>,
    /// As typed, and what it means.
    pub include: Vec<(String, Subnet)>,
    pub exclude: Vec<(String, Subnet)>,
    /// Names and files in these lists.
    pub include_later: Vec<(String, Later)>,
    pub exclude_later: Vec<(String, Later)>,
    pub capture: Capture,
    pub while_down: WhileDown,
    pub latency: Latency,
    pub names: Names,
    pub reach: Reach,
}

/// An entry of a list whose networks become known only while the tunnel is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Later {
    Name(Named),
    /// Its path.
    File(String),
}

impl Parsed {
    /// Whether a tunnel of the other one can go on as this one: networks and names follow edits, the rest does not.
    pub fn runs_as(&self, other: &Self) -> bool {
        let Self { server, ssh_command, capture, while_down, latency, .. } = self;
        (server, ssh_command, capture) == (&other.server, &other.ssh_command, &other.capture)
            && (while_down, latency) == (&other.while_down, &other.latency)
    }
}

/// What the profile means, or everything that is wrong with it.
pub fn parse(profile: &Profile) -> Result<Parsed, Vec<Problem>> {
    let (parsed, checked) = check::examine(profile);
    if checked.problems.is_empty() { Ok(parsed) } else { Err(checked.problems) }
}

/// What of the profile can be understood, mistakes or not: enough to say where it would go.
pub fn understood(profile: &Profile) -> Parsed {
    check::examine(profile).0
}

/// Why the profile cannot be used, line by line: `10/40: The width goes up to 32 here.`
pub fn invalid(profile: &Profile, problems: &[Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(|problem| line(profile, problem)).collect();
    Failure::new(Code::ProfileInvalid, &profile.name, lines.join("\n"))
}

/// Everything that is wrong with the profile, and what each of its networks means.
pub fn check(profile: &Profile) -> Checked {
    check::examine(profile).1
}

fn line<'a>(profile: &'a Profile, problem: &Problem) -> String {
    let nth = |list: &'a [String]| problem.index.and_then(|index| list.get(index as usize));
    let entry = match problem.field {
        Field::Name => Some(&profile.name),
        Field::Server => Some(&profile.server),
        Field::Capture => Some(&profile.capture),
        Field::Latency => Some(&profile.latency),
        Field::Suffix => Some(&profile.names.suffix),
        Field::Domains => nth(&profile.names.domains),
        Field::NameServers => nth(&profile.names.name_servers),
        Field::NsHosts => nth(&profile.names.ns_hosts),
        Field::SeedHosts => nth(&profile.names.seed_hosts),
        Field::Share => nth(&profile.reach.share),
        Field::SshCommand => Some(&profile.ssh_command),
        Field::Subnets => nth(&profile.subnets),
        Field::Excludes => nth(&profile.excludes),
    };
    entry.map_or_else(|| problem.message.clone(), |entry| format!("{entry}: {}", problem.message))
}
