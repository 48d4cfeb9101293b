//! The server's own name servers, as its resolv.conf has them now.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::{fs, time::SystemTime};

use nix::net::if_::if_nametoindex;
use ropeway_agent_api::resolv_conf::ResolvConf;

/// What every resolver asks when none is named (resolv.conf(5)).
const THIS_MACHINE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

#[derive(Debug)]
pub struct Resolvers {
    file: PathBuf,
    read_at: Option<SystemTime>,
    read: ResolvConf,
}

impl Resolvers {
    pub fn of_this_machine() -> Self {
        Self::new("/etc/resolv.conf".into())
    }

    pub fn new(file: PathBuf) -> Self {
        let read = ResolvConf { servers: vec![THIS_MACHINE], search: vec![] };
        Self { file, read_at: None, read }
    }

    pub fn servers(&mut self) -> &[SocketAddr] {
        self.refresh();
        &self.read.servers
    }

    pub fn search(&mut self) -> &[String] {
        self.refresh();
        &self.read.search
    }

    /// Looks at the file's date each time: one call to the kernel, and a network that changed is known at once.
    fn refresh(&mut self) {
        let changed = fs::metadata(&self.file).and_then(|data| data.modified()).ok();
        if changed == self.read_at {
            return;
        }
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        self.read = ResolvConf::parse(&text, |name| if_nametoindex(name).ok());
        if self.read.servers.is_empty() {
            self.read.servers.push(THIS_MACHINE);
        }
        self.read_at = changed;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_changes_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("resolv.conf");
        let mut resolvers = Resolvers::new(file.clone());
        assert_eq!(resolvers.servers(), [THIS_MACHINE], "it is not there yet");
        for (second, server) in [(1, "10.0.0.1"), (2, "10.0.0.2")] {
            fs::write(&file, format!("nameserver {server}")).expect("written");
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            fs::File::options()
                .write(true)
                .open(&file)
                .and_then(|file| file.set_modified(date))
                .expect("dated");
            assert_eq!(resolvers.servers()[0].ip().to_string(), server);
        }
    }
}
