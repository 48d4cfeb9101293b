//! A lab as a whole: brought up, found again by another process, and taken down without a trace.

use std::{
    fs,
    io::Read,
    net::{SocketAddr, TcpStream},
    os::unix::{net::UnixStream, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    cgroups,
    files::{self, Folder, SSHDS},
    harness::{bin, wait_until},
    host::Host,
    needs,
    network::{self, Family, Place, SERVER_NAME, ports},
    processes, system_bus,
};

/// How long services may take to listen: a few milliseconds, more while others compile.
const LISTENING: Duration = Duration::from_secs(10);

/// As long as a file name of a lab's longest path may be for a Unix socket's address to fit.
const LONGEST_NAME: usize = 32;

/// Places with a web server.
const WEBS: [Place; 2] = [Place::Hub, Place::Private];

/// A lab that is up. One that this process brought up is taken down when the value is dropped.
#[derive(Debug)]
pub struct Lab {
    state: State,
    /// Services started by this process.
    children: Vec<Child>,
    ours: bool,
}

/// What cannot be computed from the name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    name: String,
    /// On the page of the private web server.
    word: String,
    /// The process whose end makes the lab garbage: its number and start.
    owner: Option<(u32, u64)>,
}

/// A lab as data, for scripts.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct Info {
    pub name: String,
    pub word: String,
    pub ssh_config: PathBuf,
    pub web: [String; 2],
    pub public_web: [String; 2],
    pub private_nets: [&'static str; 2],
    pub namespaces: Vec<String>,
}

impl Lab {
    /// Brings a lab of that name up, in place of one that is left from before.
    pub fn up(name: &str) -> Result<Self> {
        Self::build(name.to_owned(), None)
    }

    /// A lab for one test, beside those of other tests and other runs. Also takes down what crashed runs left.
    pub fn for_test(test: &str) -> Result<Self> {
        needs::check()?;
        take_down_abandoned();
        let pid = std::process::id();
        let started = processes::started(pid).context("cannot read /proc")?;
        Self::build(format!("{test}-{pid}"), Some((pid, started)))
    }

    /// One that is up; it stays so.
    pub fn open(name: &str) -> Result<Self> {
        check_name(name)?;
        let state = read_state(name)
            .with_context(|| format!("there is no lab {name}; `ropeway-lab up {name}` makes it"))?;
        Ok(Self { state, children: Vec::new(), ours: false })
    }

    /// Takes a lab down, or what is left of it: processes, namespaces, files. One that is not there is no error.
    pub fn down(name: &str) -> Result<()> {
        check_name(name)?;
        needs::check()?;
        take_down(name, &mut [])
    }

    /// Leaves it up when this value is dropped; [`Lab::down`] ends it.
    pub fn leave_up(mut self) {
        self.ours = false;
    }

    /// Names of all labs.
    pub fn names() -> Vec<String> {
        let folders = fs::read_dir(Folder::all()).into_iter().flatten().flatten();
        let mut names: Vec<_> = folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The word on the private page; another one each time a lab is made.
    pub fn word(&self) -> &str {
        &self.state.word
    }

    /// The host there.
    pub fn host(&self, place: Place) -> Host {
        Host::new(self.name(), place)
    }

    /// Where the tunnel starts.
    pub fn client(&self) -> Host {
        self.host(Place::Client)
    }

    /// A host between.
    pub fn jump(&self) -> Host {
        self.host(Place::Jump)
    }

    /// Where the tunnel ends.
    pub fn server(&self) -> Host {
        self.host(Place::Server)
    }

    /// Known to the server only.
    pub fn private(&self) -> Host {
        self.host(Place::Private)
    }

    /// The router in the middle, and a public web server.
    pub fn hub(&self) -> Host {
        self.host(Place::Hub)
    }

    /// For `ssh -F` on the client. Its hosts: server, server-root, server-v6, server-by-name, server-via-jump,
    /// server-via-nc, server-over-link (see [`crate::link`]), private-via-two (two jumps), noisy-server, jump, same-machine; and those that must fail: wrong-key, changed-host-key,
    /// unknown-host-key, and any name that it does not have.
    pub fn ssh_config(&self) -> PathBuf {
        Folder::of(self.name()).ssh_config()
    }

    /// The private web server; `path` starts with a slash. See [`crate::serve`] for what it has.
    pub fn web_url(&self, family: Family, path: &str) -> String {
        url(Place::Private, family, path)
    }

    /// The same server, seen from everywhere.
    pub fn public_web_url(&self, family: Family, path: &str) -> String {
        url(Place::Hub, family, path)
    }

    /// What only the server can reach.
    pub fn private_net(&self, family: Family) -> &'static str {
        network::private_net(family)
    }

    /// In the private network: sends everything back.
    pub fn echo(&self, family: Family) -> SocketAddr {
        SocketAddr::new(Place::Private.address(family), ports::ECHO)
    }

    /// In the private network: says goodbye, closes its direction, and listens on.
    pub fn farewell(&self, family: Family) -> SocketAddr {
        SocketAddr::new(Place::Private.address(family), ports::FAREWELL)
    }

    /// In the private network: a port that nobody listens on.
    pub fn refuses(&self, family: Family) -> SocketAddr {
        SocketAddr::new(Place::Private.address(family), ports::REFUSES)
    }

    /// In the private network: routers answer that there is no such host.
    pub fn unreachable(&self, family: Family) -> SocketAddr {
        SocketAddr::new(network::unreachable(family), ports::WEB)
    }

    /// In the private network: nobody ever answers.
    pub fn silent(&self, family: Family) -> SocketAddr {
        SocketAddr::new(network::silent(family), ports::WEB)
    }

    /// Everything that runs in the lab and is not the lab's own. Not the helper that the system bus has started: it
    /// serves whoever calls next, and ends by itself.
    pub fn stray_processes(&self) -> Vec<processes::Process> {
        let all = Place::ALL.iter().flat_map(|place| self.host(*place).processes());
        all.filter(|process| !process.is_system_helper()).collect()
    }

    /// Folders of the client's cgroup tree that outlived the engine that made them.
    pub fn abandoned_cgroups(&self) -> Vec<PathBuf> {
        self.client().abandoned_cgroups()
    }

    /// The lab as data.
    pub fn info(&self) -> Info {
        Info {
            name: self.name().to_owned(),
            word: self.word().to_owned(),
            ssh_config: self.ssh_config(),
            web: Family::BOTH.map(|family| self.web_url(family, "/")),
            public_web: Family::BOTH.map(|family| self.public_web_url(family, "/")),
            private_nets: Family::BOTH.map(network::private_net),
            namespaces: Place::ALL.map(|place| network::namespace(self.name(), place)).into(),
        }
    }

    fn build(name: String, owner: Option<(u32, u64)>) -> Result<Self> {
        check_name(&name)?;
        needs::check()?;
        take_down(&name, &mut [])?;
        let mut lab =
            Self { state: State { name, word: random_word()?, owner }, children: Vec::new(), ours: true };
        lab.write_files()?;
        cgroups::delegate(lab.name())?;
        lab.make_network()?;
        lab.start_services()?;
        Ok(lab)
    }

    fn write_files(&self) -> Result<()> {
        let folder = Folder::of(self.name());
        files::make(&folder)?;
        fs::write(folder.state(), serde_json::to_vec_pretty(&self.state)?)?;
        files::write(&folder, self.name())?;
        system_bus::write(&folder.host(Place::Client))?;
        self.set_private_names(&[])?;
        self.set_names(&[(SERVER_NAME, Place::Server.address(Family::V4))])
    }

    fn make_network(&self) -> Result<()> {
        for place in Place::ALL {
            network::add_namespace(self.name(), place)?;
            self.host(place).settle()?;
        }
        network::wire(self.name())
    }

    fn start_services(&mut self) -> Result<()> {
        let folder = Folder::of(self.name());
        for place in WEBS {
            let mut serve = self.host(place).command(bin("ropeway-lab")?)?;
            serve.arg("__serve");
            match place {
                Place::Hub => serve.arg("public").arg(folder.zone()),
                _ => serve.arg(&self.state.word).arg(folder.private_zone()),
            };
            self.start(serve, &folder, place, "web")?;
        }
        for (place, _) in SSHDS {
            let mut sshd = self.host(*place).as_root().command(needs::find("sshd").context("no sshd")?)?;
            sshd.args(["-D", "-e", "-f"]).arg(folder.sshd_config(*place));
            self.start(sshd, &folder, *place, "sshd")?;
        }
        self.start(system_bus::daemon(&self.client())?, &folder, Place::Client, "bus")?;
        let webs = WEBS.map(|place| (place, ports::WEB));
        webs.iter().chain(SSHDS).try_for_each(|(place, port)| self.wait_for_listener(*place, *port))?;
        let bus = system_bus::socket(&folder.host(Place::Client));
        self.wait(Place::Client, "the system bus", || UnixStream::connect(&bus).is_ok())
    }

    fn start(&mut self, mut command: Command, folder: &Folder, place: Place, service: &str) -> Result<()> {
        let log = fs::File::create(folder.log(place, service))?;
        // its own group: a Ctrl-C at the terminal that runs `exec` is not meant for the lab
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {service} on the lab's {}", place.name()))?;
        self.children.push(child);
        Ok(())
    }

    fn wait_for_listener(&self, place: Place, port: u16) -> Result<()> {
        let host = self.host(place);
        let listens =
            |family| host.run(|| TcpStream::connect((host.address(family), port)).is_ok()).unwrap_or(false);
        let both = || Family::BOTH.into_iter().all(listens);
        self.wait(place, &format!("port {port}"), both)
    }

    fn wait(&self, place: Place, what: &str, listens: impl FnMut() -> bool) -> Result<()> {
        ensure!(
            wait_until(LISTENING, listens),
            "nobody listens on {what} of the lab's {}; what was said is in {}",
            place.name(),
            Folder::of(self.name()).host(place).display()
        );
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        if let Err(error) = take_down(&self.state.name, &mut self.children) {
            eprintln!("the lab {} is not gone: {error:#}", self.state.name);
        }
    }
}

fn take_down(name: &str, children: &mut [Child]) -> Result<()> {
    for place in Place::ALL {
        let namespace = Host::new(name, place).namespace();
        if namespace.exists() {
            processes::kill_inside(&namespace)?;
        }
    }
    for child in children {
        let _ = child.wait();
    }
    for place in Place::ALL {
        if Host::new(name, place).namespace().exists() {
            network::delete_namespace(name, place)?;
        }
    }
    cgroups::remove(name)?;
    files::remove(&Folder::of(name))
}

/// Those whose test is no longer there to do it. Another test may be doing the same: then there is nothing left.
fn take_down_abandoned() {
    for name in Lab::names() {
        let owner = read_state(&name).ok().and_then(|state| state.owner);
        if owner.is_some_and(|(pid, started)| processes::started(pid) != Some(started)) {
            let _ = take_down(&name, &mut []);
        }
    }
}

fn read_state(name: &str) -> Result<State> {
    Ok(serde_json::from_slice(&fs::read(Folder::of(name).state())?)?)
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(allowed) || name.starts_with('-') {
        bail!("{name:?} cannot name a lab: 1 to {LONGEST_NAME} of a-z, 0-9 and -");
    }
    Ok(())
}

fn url(place: Place, family: Family, path: &str) -> String {
    format!("http://{}{path}", SocketAddr::new(place.address(family), ports::WEB)).replace(":80/", "/")
}

/// Can be read aloud, and is on no other page.
fn random_word() -> Result<String> {
    let mut bytes = [0; 5];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let (heads, tails) = (b"bdfghjklmnprstvw", b"aeiou");
    let syllables =
        bytes.iter().flat_map(|byte| [heads[usize::from(byte % 16)], tails[usize::from(byte / 16 % 5)]]);
    Ok(syllables.map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder_of_labs() {
        for name in ["", "..", "a/b", "-x", "A", &"x".repeat(33)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("demo-2").is_ok());
    }

    #[test]
    fn urls_are_as_a_person_would_write_them() {
        assert_eq!(url(Place::Private, Family::V4, "/big"), "http://10.20.0.2/big");
        assert_eq!(url(Place::Private, Family::V6, "/"), "http://[fd20::2]/");
    }
}
