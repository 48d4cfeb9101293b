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
    enter,
    files::Folder,
    needs,
    network::{self, Family, Place},
    processes::{self, Process},
};

/// Variables of the person or the CI job that runs the tests; a host of the lab knows nothing of them.
const FOREIGN: &[&str] =
    &["SSH_AUTH_SOCK", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A computer of the lab; cheap to clone, and no owner of anything.
#[derive(Debug, Clone)]
pub struct Host {
    lab: String,
    place: Place,
    folder: PathBuf,
}

impl Host {
    pub(crate) fn new(lab: &str, place: Place) -> Self {
        Self { lab: lab.to_owned(), place, folder: Folder::of(lab).host(place) }
    }

    /// A program that will run here, as root, with this host's home and run-time folders.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        needs::check_root()?;
        let mut command = Command::new(program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        for (name, _) in env::vars_os().filter(|(name, _)| is_xdg_folder(name)) {
            command.env_remove(name);
        }
        command.env("ROPEWAY_LAB", &self.lab).env("HOME", self.home()).env("XDG_RUNTIME_DIR", "/run/user/0");
        command.env("USER", "root").env("LOGNAME", "root");
        enter::on_start(&mut command, &self.namespace(), &self.folder)
            .with_context(|| format!("the lab {} has no {}: is it up?", self.lab, self.place.name()))?;
        Ok(command)
    }

    /// Does `work` with this host's network: sockets that it makes, also in threads that it starts, are the host's.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        enter::in_thread(&self.namespace(), work)
            .with_context(|| format!("the lab {} has no {}: is it up?", self.lab, self.place.name()))
    }

    /// The address under which others know it.
    pub fn address(&self, family: Family) -> IpAddr {
        self.place.address(family)
    }

    /// Root's home here.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home/root")
    }

    /// The home of the account that ssh signs in to.
    pub fn home_of_lab_user(&self) -> PathBuf {
        self.folder.join("home/lab")
    }

    /// What processes of this host see as `/run`.
    pub fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
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
        let output = self.command("nft")?.args(["list", "tables"]).output()?;
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
        self.run(|| -> io::Result<()> {
            for (name, value) in network::SYSCTLS.iter().chain(extra) {
                set(name, value)?;
            }
            Ok(())
        })?
        .with_context(|| format!("kernel settings of the lab's {}", self.place.name()))
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
