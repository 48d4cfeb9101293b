//! Other people's tunnels. Each runs in a process group of its own, and whatever of it is left when it should have
//! ended is killed, with the rules that it left behind.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::{
    Host,
    bench::stage::{self, Stage},
    harness::{bin, wait_until},
};

/// Where `ssh -D` listens; the port of SOCKS.
const SOCKS: &str = "127.0.0.1:1080";

/// Where the redirector listens.
const REDIRECTOR: &str = "127.0.0.1:1081";

/// How long an orderly end may take.
const END: Duration = Duration::from_secs(5);

/// A running one.
#[derive(Debug)]
pub struct Peer {
    children: Vec<Child>,
    client: Host,
}

/// sshuttle as root, with nft, as it chooses itself on the systems of today.
pub fn sshuttle(stage: &Stage, net: &str, options: &[&str]) -> Result<Peer> {
    let program = sshuttle_program()?;
    let client = stage.lab.client().as_root();
    let mut command = client.command(program)?;
    command.args(["--method", "nft", "--disable-ipv6", "-r", stage.server()]);
    command.args(["-e", &stage.ssh_command()]).args(options).arg(net);
    Ok(Peer { children: vec![spawn(command, "sshuttle")?], client })
}

/// Of the one that would run.
pub fn sshuttle_version() -> Result<String> {
    let output = Command::new(sshuttle_program()?).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn sshuttle_program() -> Result<std::path::PathBuf> {
    let program = stage::folder()?.join("venv/bin/sshuttle");
    ensure!(program.is_file(), "sshuttle is not there: `make bench` installs it into {}", program.display());
    Ok(program)
}

/// `ssh -D`, the redirector, and the rule that sends it what goes to `net`.
pub fn socks(stage: &Stage, net: &str) -> Result<Peer> {
    let client = stage.lab.client();
    let mut ssh = client.command("ssh")?;
    ssh.arg("-F").arg(stage.lab.ssh_config()).args(["-N", "-D", SOCKS, stage.server()]);
    let mut redirector = client.command(client.program("ropeway-bench")?)?;
    bin("ropeway-bench")?;
    redirector.args(["__redirect", REDIRECTOR, SOCKS]);
    let mut peer = Peer { children: Vec::new(), client: client.as_root() };
    peer.children.push(spawn(ssh, "ssh -D")?);
    peer.children.push(spawn(redirector, "redirector")?);
    let port = REDIRECTOR.rsplit(':').next().unwrap_or_default();
    nft(
        &peer.client,
        &format!(
            "table ip bench {{ chain output {{ type nat hook output priority -100; \
             ip daddr {net} tcp dport 1-65535 redirect to :{port}; }}; }}"
        ),
    )?;
    Ok(peer)
}

fn spawn(mut command: Command, name: &str) -> Result<Child> {
    let log = File::create(stage::folder()?.join(format!("{name}.log")))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    command.spawn().with_context(|| format!("cannot start {name}"))
}

fn nft(client: &Host, rules: &str) -> Result<()> {
    let output = client.command("nft")?.arg(rules).output()?;
    ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

impl Drop for Peer {
    fn drop(&mut self) {
        for child in &mut self.children {
            end(child);
        }
        // the lab's client has no rules but a tunnel's
        if let Err(error) = nft(&self.client, "flush ruleset") {
            println!("  the client's rules are still there: {error:#}");
        }
    }
}

fn end(child: &mut Child) {
    let pid = Pid::from_raw(child.id() as i32);
    let _ = kill(pid, Signal::SIGTERM);
    wait_until(END, || child.try_wait().is_ok_and(|status| status.is_some()));
    // its group, which only its own children are in
    let _ = killpg(pid, Signal::SIGKILL);
    let _ = child.wait();
}
