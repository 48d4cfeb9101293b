//! The computer: it boots, runs commands, and is gone without a trace.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use tempfile::TempDir;

use super::accounts::{self, User};
use crate::{
    cgroups,
    harness::{bin, wait_until},
    needs,
};

const SCRIPT: &str = include_str!("boot.sh");

/// It takes a fifth of a second on an idle machine.
const BOOT: Duration = Duration::from_secs(30);

/// Killed processes are gone in milliseconds, more on a busy machine.
const GONE: Duration = Duration::from_secs(10);

/// Where [`System::install_helper`] has the program: where the app's set-up puts it.
pub const HELPER: &str = "/usr/local/libexec/ropeway-helper";

/// Where an installation and its state are; the rest of the disk is made anew by each boot.
const DISK: &[&str] = &["etc/hosts", "etc/systemd", "etc/dbus-1", "usr", "var/lib/ropeway"];

/// Where the programs of this build are.
pub const PROGRAMS: &str = "/opt/ropeway";

/// What the first process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// The real one.
    Systemd,
    /// A shell with a system bus.
    Bus,
}

/// A running computer. What it writes stays in memory; when the value is dropped, nothing is left.
#[derive(Debug)]
pub struct System {
    outside: Child,
    cgroup: PathBuf,
    /// Its first process, in this machine's numbers.
    init: Pid,
    folder: TempDir,
}

impl System {
    /// With systemd, or nothing, with a line that says so, where this process may not make one.
    pub fn boot(test: &str) -> Option<Self> {
        Self::boot_with(test, Init::Systemd, |_| Ok(()))
    }

    /// The same; `prepare` may put files into a folder that is laid over the disk before.
    pub fn boot_with(test: &str, init: Init, prepare: impl FnOnce(&Path) -> Result<()>) -> Option<Self> {
        if !needs::is_root() {
            eprintln!("SKIPPED {test}: only root may boot systemd in namespaces of its own.");
            return None;
        }
        let system = Self::start(init, prepare).and_then(|system| system.wait_for_boot(init));
        Some(system.unwrap_or_else(|error| panic!("no computer for {test}: {error:#}")))
    }

    /// A command of root in it.
    pub fn command(&self, program: &str) -> Command {
        self.command_of(User::ROOT, program)
    }

    /// A command of a user in it, with nothing of this process's environment.
    pub fn command_of(&self, user: User, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.init.to_string());
        command.args(["--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net", "--wdns=/", "setpriv"]);
        command.args([
            "--reuid",
            user.name,
            "--regid",
            &user.uid.to_string(),
            "--init-groups",
            "--",
            program,
        ]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", if user == User::ROOT { "/root".into() } else { format!("/home/{}", user.name) });
        command.env("USER", user.name).env("LOGNAME", user.name).env("LANG", "C.UTF-8");
        command
    }

    /// Runs it as root and returns what it printed; fails when it fails.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        let output = self.command(program).args(args).stdin(Stdio::null()).output().context("nsenter")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        ensure!(
            output.status.success(),
            "{program} {}: {}: {}{}",
            args.join(" "),
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
        Ok(text(&output.stdout))
    }

    /// Puts this build's helper where the app's set-up puts it, and lets it install itself.
    pub fn install_helper(&self) -> Result<()> {
        self.replace_helper()?;
        self.run(HELPER, &["--install"]).map(drop)
    }

    /// As set-up does with a newer one: a rename, so a running one goes on.
    pub fn replace_helper(&self) -> Result<()> {
        self.replace_helper_by(&bin("ropeway-helper")?)
    }

    /// The same with another build's.
    pub fn replace_helper_by(&self, program: &Path) -> Result<()> {
        let target = self.path(HELPER);
        let new = target.with_extension("new");
        put_program(program, &new)?;
        Ok(fs::rename(new, target)?)
    }

    /// A file of its, as this process can open it.
    pub fn path(&self, inside: &str) -> PathBuf {
        Path::new("/proc").join(self.init.to_string()).join("root").join(inside.trim_start_matches('/'))
    }

    /// What systemd and its services wrote.
    pub fn journal(&self) -> String {
        let journal = self.run("journalctl", &["--no-pager", "--output=short-monotonic", "--boot"]);
        journal.unwrap_or_else(|error| format!("no journal: {error:#}"))
    }

    /// A property of a unit, as `systemctl show` has it.
    pub fn unit(&self, unit: &str, property: &str) -> Result<String> {
        self.run("systemctl", &["show", "--value", &format!("--property={property}"), unit])
    }

    /// The number of the process that has the name on the bus, as processes in it see it.
    pub fn owner(&self, name: &str) -> Option<u32> {
        let call = ["call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"];
        let question = [&call[..], &["GetConnectionUnixProcessID", "s", name]].concat();
        match self.run("busctl", &question) {
            Ok(answer) => Some(answer.strip_prefix("u ")?.parse().expect("a number")),
            Err(error) if error.to_string().contains("no such name") => None,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// A field of that process's `/proc/PID/status`.
    pub fn status_of(&self, pid: u32, field: &str) -> Option<String> {
        let status = fs::read_to_string(self.path(&format!("/proc/{pid}/status"))).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// Every file and folder that this machine does not have just so, but what systemd notes of its own.
    pub fn changed(&self) -> Result<Vec<String>> {
        let own = ["-not", "-path", "*/var/l*/systemd*", "-not", "-path", "*/log/*"];
        let all = self.run("find", &[&["/opt/changed"][..], &own, &["-printf", "%y %P\\n"]].concat())?;
        let mut changed: Vec<_> =
            all.lines().filter_map(|line| line.split_once(' ')).filter(differs).collect();
        changed.sort_unstable();
        Ok(changed.into_iter().map(|(_, path)| path.to_owned()).collect())
    }

    /// What an installation and its state are on the disk, as a power cut would leave it.
    pub fn copy_disk(&self, to: &Path) -> Result<()> {
        for place in DISK {
            copy(&self.path("/opt/changed"), place, to)?;
        }
        Ok(())
    }

    fn start(init: Init, prepare: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = folder.path().join("files");
        fs::create_dir(&files)?;
        accounts::write(&files)?;
        prepare(&files)?;
        let programs = bin("ropeway-lab")?.parent().context("a folder")?.to_owned();
        let cgroup = new_cgroup()?;
        let log = fs::File::create(folder.path().join("log"))?;
        let mut boot = Command::new("unshare");
        boot.args(["--mount", "--pid", "--cgroup", "--net", "--uts", "--ipc", "--fork", "--kill-child"]);
        boot.args(["sh", "-c", SCRIPT, "boot", if init == Init::Systemd { "systemd" } else { "bus" }]);
        boot.arg(folder.path()).arg(programs);
        boot.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        enter_cgroup(&mut boot, &cgroup)?;
        let outside = boot.spawn().context("unshare")?;
        let mut system = Self { outside, cgroup, init: Pid::from_raw(0), folder };
        let found = wait_until(BOOT, || {
            system.init = system.first_child().unwrap_or(Pid::from_raw(0));
            system.init.as_raw() != 0
        });
        ensure!(found, "{}", system.log());
        Ok(system)
    }

    fn wait_for_boot(mut self, init: Init) -> Result<Self> {
        let ready = match init {
            Init::Systemd => "/run/systemd/private",
            Init::Bus => "/run/dbus/system_bus_socket",
        };
        let came = wait_until(BOOT, || {
            let gone = self.outside.try_wait().is_ok_and(|status| status.is_some());
            gone || self.path("/opt/changed").exists() && self.path(ready).exists()
        });
        if !came || !self.path(ready).exists() {
            bail!("it does not boot: {}", self.log());
        }
        self.start_neighbour()?;
        if init == Init::Systemd {
            let state = self.run("systemctl", &["is-system-running", "--wait"]);
            state.with_context(|| self.run("systemctl", &["--failed"]).unwrap_or_default())?;
        }
        Ok(self)
    }

    /// It ends with the computer.
    fn start_neighbour(&self) -> Result<()> {
        let mut neighbour = self.command("ip");
        neighbour.args(["netns", "exec", "far", &format!("{PROGRAMS}/ropeway-lab"), "__neighbour"]);
        let mut neighbour = neighbour.stdout(Stdio::piped()).spawn()?;
        let mut ready = [0; 5];
        let said = neighbour.stdout.take().context("a pipe")?.read_exact(&mut ready);
        // whoever ends the computer ends it; it is buried here
        std::thread::spawn(move || neighbour.wait());
        said.context("the neighbour")
    }

    fn first_child(&self) -> Option<Pid> {
        let pid = self.outside.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Some(Pid::from_raw(children.split_whitespace().next()?.parse().ok()?))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the computer's journal:\n{}", self.journal());
        }
        if self.init.as_raw() > 0 {
            let _ = kill(self.init, Signal::SIGKILL);
        } else {
            let _ = self.outside.kill();
        }
        let _ = self.outside.wait();
        if !wait_until(GONE, || cgroups::remove_tree(&self.cgroup).is_ok()) {
            eprintln!("{} is not gone", self.cgroup.display());
        }
    }
}

/// A character device there says that something is gone. A folder is there also when only something in it has changed.
fn differs((kind, path): &(&str, &str)) -> bool {
    *kind != "c" && !(*kind == "d" && Path::new("/").join(path).is_dir())
}

/// A copy that everybody may run. Made by another process: while this one had it open for writing, a child that another
/// test starts in that moment would have it open too, and then nobody can run it.
pub fn put_program(from: &Path, to: &Path) -> Result<()> {
    let installed = Command::new("install").args(["-D", "-m", "755"]).arg(from).arg(to).status()?;
    ensure!(installed.success(), "install {}", to.display());
    Ok(())
}

/// Puts a disk that was copied under the next boot.
pub fn lay(disk: &Path, root: &Path) -> Result<()> {
    DISK.iter().try_for_each(|place| copy(disk, place, root))
}

/// Replaces what is there. A place that is not there is not there any more.
fn copy(from: &Path, place: &str, to: &Path) -> Result<()> {
    let (from, to) = (from.join(place), to.join(place));
    match fs::symlink_metadata(&to) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&to)?,
        Ok(_) => fs::remove_file(&to)?,
        Err(_) => {}
    }
    fs::create_dir_all(to.parent().context("a folder")?)?;
    if from.exists() { copy_tree(&from, &to).with_context(|| from.display().to_string()) } else { Ok(()) }
}

/// All of it belongs to root. What is neither file nor folder nor link says that something is gone.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    if found.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if found.is_file() {
        return fs::copy(from, to).map(drop);
    }
    if !found.is_dir() {
        return Ok(());
    }
    fs::create_dir(to)?;
    fs::set_permissions(to, found.permissions())?;
    fs::read_dir(from)?.flatten().try_for_each(|entry| copy_tree(&entry.path(), &to.join(entry.file_name())))
}

fn new_cgroup() -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let own = cgroups::own().context("systemd needs a cgroup2 tree")?;
    let folder = own.join(format!("lab-system-{}-{number}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// The process is in it before it is anything else, and dies with the thread that has started it.
fn enter_cgroup(command: &mut Command, folder: &Path) -> io::Result<()> {
    let list = fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
    // SAFETY: between fork and exec this makes two system calls
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            (&list).write_all(b"0")
        });
    }
    Ok(())
}
