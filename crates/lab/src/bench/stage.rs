//! Where everything is measured: a lab with the target in its private network, and the link that is in use.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::target::{self, CounterReader};
use crate::{
    Family, Lab, Place, congestion,
    harness::{bin, folder_of_programs, wait_until},
    link::{ENDS, Link, Spec},
    ports,
};

/// How long the target may take to listen.
const LISTENING: Duration = Duration::from_secs(10);

/// The lab, and what stands on it.
#[derive(Debug)]
pub struct Stage {
    /// Where the tunnels run.
    pub lab: Lab,
    link: Option<Link>,
    target: Child,
}

impl Stage {
    /// Brings it up, without a link. The lab's name is this process's: two benches at a time disturb each other's
    /// numbers, and nothing else.
    pub fn up() -> Result<Self> {
        Self::on(Lab::for_test("bench")?)
    }

    /// On a lab that is there.
    pub fn on(lab: Lab) -> Result<Self> {
        fs::create_dir_all(folder()?)?;
        for host in [lab.client(), lab.server(), lab.private()] {
            congestion::use_cubic(&host)?;
        }
        let target =
            lab.private().command(bin("ropeway-bench")?)?.arg("__target").stdin(Stdio::null()).spawn()?;
        let stage = Self { lab, link: None, target };
        let listens = || stage.lab.private().run(CounterReader::connect).is_ok_and(|it| it.is_ok());
        ensure!(wait_until(LISTENING, listens), "the target does not listen on port {}", target::PORT);
        Ok(stage)
    }

    /// From now on client and server are joined by such a link, or by the lab's own cable.
    pub fn join_by(&mut self, spec: Option<&Spec>) -> Result<()> {
        // first the old one must go: both have the same addresses
        self.link = None;
        let hosts = [&self.lab.client(), &self.lab.server()];
        self.link = spec.map(|spec| Link::between(hosts, spec)).transpose()?;
        let server = self.link().map_or(Place::Server.address(Family::V4), |_| ENDS[1].into());
        congestion::check_cubic(&self.lab.client(), (server, ports::SSH).into())
    }

    /// The link in use.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// The server's name for ssh, by the link in use.
    pub fn server(&self) -> &'static str {
        if self.link.is_some() { "server-over-link" } else { "server" }
    }

    /// `ssh` with the lab's configuration, as a person would give it to a program.
    pub fn ssh_command(&self) -> String {
        format!("ssh -F {}", self.lab.ssh_config().display())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.target.kill();
        let _ = self.target.wait();
    }
}

/// What the bench keeps beside the build: its record, and other people's programs.
pub fn folder() -> Result<PathBuf> {
    let programs = folder_of_programs()?;
    Ok(programs.parent().context("programs are in a folder of the build")?.join("bench"))
}
