//! What processes use: processor time and memory, from `/proc`.

use std::{collections::BTreeMap, fs};

use nix::unistd::{SysconfVar, sysconf};

use crate::{Host, Lab, Process};

/// What a process is in a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// On the client, the tunnel's own: the engine, sshuttle, the redirector.
    Client,
    /// ssh on the client.
    Ssh,
    /// sshd on the server.
    Sshd,
    /// On the server, started through ssh: the agent, sshuttle's Python, `cat`.
    Server,
}

impl Role {
    /// All of them, in the order of the bytes' way.
    pub const ALL: [Self; 4] = [Self::Client, Self::Ssh, Self::Sshd, Self::Server];

    /// In paths of the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Ssh => "ssh",
            Self::Sshd => "sshd",
            Self::Server => "server",
        }
    }
}

/// The processes that make up one tunnel: those that were not there before it.
#[derive(Debug, Clone)]
pub struct Processes(Vec<(Role, i32)>);

/// Those that are there now.
#[derive(Debug)]
pub struct Before(Vec<i32>);

impl Before {
    /// Looks.
    pub fn of(lab: &Lab) -> Self {
        Self(both(lab).map(|(_, process)| process.pid).collect())
    }

    /// What has come since.
    pub fn since(&self, lab: &Lab) -> Processes {
        // the helper is everybody's, and carries nothing
        let new = both(lab).filter(|(_, it)| !self.0.contains(&it.pid) && it.name != "ropeway-helper");
        Processes(new.map(|(on_client, process)| (role(on_client, &process), process.pid)).collect())
    }
}

impl Processes {
    /// Processor seconds of each role so far.
    pub fn cpu(&self) -> BTreeMap<Role, f64> {
        self.sum(cpu_seconds)
    }

    /// Resident bytes of each role, shared pages counted in each process.
    pub fn resident(&self) -> BTreeMap<Role, f64> {
        self.sum(|pid| memory(pid, "Rss:"))
    }

    /// The same, shared pages divided among those who share them.
    pub fn proportional(&self) -> BTreeMap<Role, f64> {
        self.sum(|pid| memory(pid, "Pss:"))
    }

    fn sum(&self, what: impl Fn(i32) -> Option<f64>) -> BTreeMap<Role, f64> {
        let mut sums: BTreeMap<_, _> = Role::ALL.map(|role| (role, 0.0)).into();
        for (role, pid) in &self.0 {
            *sums.entry(*role).or_default() += what(*pid).unwrap_or(0.0);
        }
        sums
    }
}

fn both(lab: &Lab) -> impl Iterator<Item = (bool, Process)> {
    let all =
        |host: &Host, on_client| host.all_processes().into_iter().map(move |process| (on_client, process));
    all(&lab.client(), true).chain(all(&lab.server(), false)).collect::<Vec<_>>().into_iter()
}

fn role(on_client: bool, process: &Process) -> Role {
    match (on_client, process.name.as_str()) {
        (true, "ssh") => Role::Ssh,
        (true, _) => Role::Client,
        (false, name) if name.starts_with("sshd") => Role::Sshd,
        (false, _) => Role::Server,
    }
}

fn cpu_seconds(pid: i32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in parentheses may hold anything; fields 14 and 15, counted from 1, are the 12th and 13th after it
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / sysconf(SysconfVar::CLK_TCK).ok()?? as f64)
}

fn memory(pid: i32, field: &str) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

/// Processor seconds of the whole machine: busy, and in total.
pub fn machine() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|it| it.parse().ok()).collect();
    let total: f64 = ticks.iter().take(8).sum();
    // idle, and waiting for a disk
    let idle = ticks.get(3)? + ticks.get(4)?;
    let second = sysconf(SysconfVar::CLK_TCK).ok()?? as f64;
    Some(((total - idle) / second, total / second))
}
