//! One computer of the lab.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    accounts::Account,
    cgroups,
    enter::Entrance,
    files::{self, Folder},
    harness, needs,
    network::{self, Family, Place},
    processes::{self, Process},
};

/// Variables of the person or the CI job that runs the tests; a host of the lab knows nothing of them.
const FOREIGN: &[&str] =
    &["SSH_AUTH_SOCK", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A computer of the lab; cheap to clone, and no owner of anything.
///
/// On the client, a person's computer, programs run as that person, without any privilege; see [`Host::as_root`]. All
/// other hosts are somebody's servers, and programs run there as root.
#[derive(Debug, Clone)]
pub struct Host {
    lab: String,
    place: Place,
    folder: PathBuf,
    account: Account,
    has_cgroups: bool,
}

impl Host {
    pub(crate) fn new(lab: &str, place: Place) -> Self {
        let account = if place == Place::Client { Account::Person } else { Account::Root };
        let folder = Folder::of(lab).host(place);
        Self { lab: lab.to_owned(), place, folder, account, has_cgroups: true }
    }

    /// The same computer, for who looks after it.
    #[must_use]
    pub fn as_root(&self) -> Self {
        Self { account: Account::Root, ..self.clone() }
    }

    /// The same computer with a kernel that has no cgroups.
    #[must_use]
    pub fn without_cgroups(&self) -> Self {
        Self { has_cgroups: false, ..self.clone() }
    }

    /// A program that will run here, with its user's home and run-time folders.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        needs::check_root()?;
        let mut command = Command::new(program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        for (name, _) in env::vars_os().filter(|(name, _)| is_xdg_folder(name)) {
            command.env_remove(name);
        }
        let runtime = Path::new("/run").join(self.account.runtime());
        command.env("ROPEWAY_LAB", &self.lab).env("HOME", self.home()).env("XDG_RUNTIME_DIR", runtime);
        command.env("USER", self.account.name()).env("LOGNAME", self.account.name());
        // the bus, and root's own engine, pass it on to the helper; it hears it from nobody else
        command.env("ROPEWAY_HELPER_STATE", files::state_of_helper(&self.folder));
        self.entrance()
            .and_then(|entrance| Ok(entrance.take(&mut command)?))
            .with_context(|| self.absent())?;
        Ok(command)
    }

    /// A program of this workspace, where this host's users find it: the folder that it was built in may be closed
    /// to them.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        harness::bin(name)?;
        Ok(files::programs(&self.folder).join(name))
    }

    /// Does `work` with this host's network: sockets that it makes, also in threads that it starts, are the host's
    /// and its user's.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.entrance()?.take_in_thread(work).with_context(|| self.absent())
    }

    /// The address under which others know it.
    pub fn address(&self, family: Family) -> IpAddr {
        self.place.address(family)
    }

    /// The user's home here.
    pub fn home(&self) -> PathBuf {
        self.folder.join(self.account.home())
    }

    /// The user's name here.
    pub fn user(&self) -> &'static str {
        self.account.name()
    }

    /// The user's number here.
    pub fn uid(&self) -> u32 {
        self.account.id()
    }

    /// The home of the account that ssh signs in to.
    pub fn home_of_lab_user(&self) -> PathBuf {
        self.folder.join("home/lab")
    }

    /// What this host has for itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What processes of this host see as `/run`.
    pub fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Folders of the cgroup tree that outlived the engine that made them.
    pub fn abandoned_cgroups(&self) -> Vec<PathBuf> {
        cgroups::abandoned(&self.lab)
    }

    /// The folder of the user's session, seen from outside.
    pub fn runtime_folder(&self) -> PathBuf {
        self.run_folder().join(self.account.runtime())
    }

    /// Everything that runs here and is not the lab's own.
    pub fn processes(&self) -> Vec<Process> {
        self.all_processes().into_iter().filter(|process| !process.is_infrastructure()).collect()
    }

    /// Everything that runs here, the lab's own services included.
    pub fn all_processes(&self) -> Vec<Process> {
        processes::inside(&self.namespace())
    }

    /// What this host's `/etc/hosts` says, as its programs see it.
    pub fn hosts_file(&self) -> Result<String> {
        let output = self.command("cat")?.arg("/etc/hosts").output()?;
        ensure!(output.status.success(), "cat: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The nft tables here, as `inet ropeway`.
    pub fn nft_tables(&self) -> Result<Vec<String>> {
        let output = self.as_root().command("nft")?.args(["list", "tables"]).output()?;
        ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr).trim());
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.strip_prefix("table ")).map(str::to_owned).collect())
    }

    /// How often a program here had to ask twice for a connection, because nobody answered for a second.
    pub fn repeated_syns(&self) -> Result<u64> {
        self.run(|| fs::read_to_string("/proc/thread-self/net/netstat"))?
            .ok()
            .and_then(|text| counter(&text, "TcpExt:", "TCPSynRetrans"))
            .context("this kernel does not count repeated SYNs")
    }

    /// Where programs here accept TCP connections.
    pub fn listeners(&self) -> Result<Vec<SocketAddr>> {
        let tables = self.run(|| {
            ["tcp", "tcp6"]
                .map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default())
        })?;
        Ok(tables.iter().flat_map(|table| table.lines().filter_map(listener)).collect())
    }

    /// Writes the settings of a fresh namespace.
    pub(crate) fn settle(&self) -> Result<()> {
        let extra = if network::is_router(self.place) { network::SYSCTLS_OF_ROUTERS } else { &[] };
        self.as_root()
            .run(|| -> io::Result<()> {
                for (name, value) in network::SYSCTLS.iter().chain(extra) {
                    set(name, value)?;
                }
                Ok(())
            })?
            .with_context(|| format!("kernel settings of the lab's {}", self.place.name()))
    }

    fn entrance(&self) -> Result<Entrance> {
        let person = self.account == Account::Person;
        let hidden = if self.has_cgroups { None } else { cgroups::mount() };
        Ok(Entrance {
            namespace: self.namespace(),
            binds: files::binds(&self.folder)?,
            hidden: hidden.into_iter().collect(),
            account: self.account,
            cgroup: cgroups::of_person(&self.lab).filter(|folder| person && folder.exists()),
        })
    }

    fn absent(&self) -> String {
        format!("the lab {} has no {}: is it up?", self.lab, self.place.name())
    }

    pub(crate) fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(network::namespace(&self.lab, self.place))
    }
}

fn is_xdg_folder(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with("XDG_") && (name.ends_with("_HOME") || name.ends_with("_DIR")))
}

/// Through the calling thread's own view: `/proc/sys/net` would be the main thread's.
fn set(name: &str, value: &str) -> io::Result<()> {
    let file = Path::new("/proc/sys/net").join(name);
    match fs::write(file, value) {
        // some kernels lack a setting, or keep it for the whole machine; then its default must do
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(())
        }
        result => result,
    }
}

/// The value of `name` in a table of the kernel's: a line of names, and one of values, both after `group`.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group)).map(str::split_whitespace);
    let (names, values) = (lines.next()?, lines.next()?);
    names.zip(values).find(|(found, _)| *found == name)?.1.parse().ok()
}

/// The address in a line `0: 0100007F:3039 00000000:0000 0A …`, when its state is 0A, listening.
fn listener(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, state) = (fields.next()?, fields.nth(1)?);
    let (ip, port) = local.split_once(':').filter(|_| state == "0A")?;
    Some(SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?))
}

/// Words of four bytes, each printed as a number in this computer's byte order.
fn address(text: &str) -> Option<IpAddr> {
    let words = (0..text.len()).step_by(8).map(|at| u32::from_str_radix(text.get(at..at + 8)?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let v4 = <[u8; 4]>::try_from(&*bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(&*bytes).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_tables() {
        let text = "TcpExt: A TCPSynRetrans B\nTcpExt: 1 7 2\nIpExt: A\nIpExt: 5\n";
        assert_eq!(counter(text, "TcpExt:", "TCPSynRetrans"), Some(7));
        let line = "  0: 0100007F:3039 00000000:0000 0A 00000000:00000000 00:00000000";
        assert_eq!(listener(line), Some(([127, 0, 0, 1], 12345).into()));
        let line = "  0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A";
        assert_eq!(listener(line), Some((Ipv6Addr::LOCALHOST, 22).into()));
        assert_eq!(listener("  0: 0100007F:3039 0100007F:0016 01"), None, "a connection");
        assert_eq!(listener("  sl  local_address rem_address   st"), None, "the heading");
    }
}
