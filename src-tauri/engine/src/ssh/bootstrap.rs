//! What the server is asked to do on the agent's channel, and how its answer is read. Pure.
//!
//! The command is `exec /bin/sh -c '…'`, one word in single quotes without `'`, `\`, `!` or a line end: the
//! Bourne shells, csh and fish read it alike. It tells the system, looks for the agent in the cache by its hash,
//! takes it from stdin when it is not there, checks it, and becomes it.

use std::{collections::BTreeMap, fmt::Write};

/// Lines of ours start with this; everything before the first is a banner or a chatty profile.
const MARK: &str = "ROPEWAY1 ";

/// Bytes of noise that are read before we give up: ten times the longest banner that was ever a nuisance.
pub const MAX_NOISE: usize = 1 << 20;

/// An agent that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// SHA-256, lower-case hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

/// `linux-x86_64`: system and processor as `uname` says them, in lower case.
pub type Platform = String;

/// A line of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What the server is.
    Machine(Machine),
    /// The agent is not in the cache: send it.
    Send,
    /// It becomes the agent now; what follows is the mux's.
    Run,
    Failed(Trouble),
}

/// What the server says of itself; empty where it cannot tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    pub platform: Platform,
    pub boot: String,
    pub namespace: String,
}

/// Why the server cannot become an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// We have no agent for its system.
    Platform,
    /// No folder to write, disk full, or what arrived has another hash.
    Store,
    /// The stored agent does not start (no permission, wrong processor).
    Run,
}

/// The whole remote command, for the agents that we have.
pub fn command(agents: &BTreeMap<Platform, Agent>) -> String {
    let mut table = String::new();
    for (platform, agent) in agents {
        let _ = write!(table, "{platform}) h={} n={};; ", agent.hash, agent.size);
    }
    let script = SCRIPT.replace("@TABLE@", &table);
    format!("exec /bin/sh -c '{}'", script.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Written over several lines for people; sent as one. `k` prints the hash of a file, by whatever the server has.
///
/// Every program that it runs is a millisecond in which the user waits, so what the shell can do itself it does, and an
/// agent is tried out when it is stored, not each time: what has its hash is what was tried, and `test -x` knows of a file
/// system from which nothing may be run. One that is used is read (its hash is taken), and that is how `find` knows.
const SCRIPT: &str = r#"
    say() { echo "ROPEWAY1 $1"; };
    fail() { say "fail $1"; exit 1; };
    k() { sha256sum <"$1" || shasum -a 256 <"$1" || sha256 -q <"$1" || openssl dgst -sha256 -r <"$1"; } 2>/dev/null;
    ok() { test -f "$1" && case "$(k "$1")" in "$h"*) ;; *) false;; esac; };
    umask 077;
    set -- $(uname -s -m); s=$1; m=$2;
    case $s in Linux) s=linux;; *) s=$(echo "$s" | tr A-Z a-z);; esac;
    case $m in amd64) m=x86_64;; arm64) m=aarch64;; esac;
    { read -r b </proc/sys/kernel/random/boot_id || b=$(sysctl -n kern.bootsessionuuid); } 2>/dev/null;
    w=$(readlink /proc/self/ns/net 2>/dev/null);
    echo; say "machine $s-$m boot=$b ns=$w";
    case $s-$m in @TABLE@ *) fail platform;; esac;
    d=${XDG_CACHE_HOME:-$HOME/.cache}/ropeway; f=$d/agent-$h;
    if test -L "$d"; then fail store; fi;
    { { test -d "$d" || mkdir -p "$d"; } && chmod 700 "$d" && test -O "$d"; } 2>/dev/null || fail store;
    if ok "$f"; then test -x "$f" || fail run; else
        find "$d" -name "agent-*" -mtime +30 -atime +30 -exec rm -f {} + 2>/dev/null;
        say send;
        t=$f.$$;
        head -c "$n" >"$t" 2>/dev/null && ok "$t" && chmod 700 "$t" || { rm -f "$t"; fail store; };
        "$t" --version >/dev/null 2>&1 </dev/null || { rm -f "$t"; fail run; };
        mv -f "$t" "$f" || { rm -f "$t"; fail store; };
    fi;
    say run;
    exec "$f"
"#;

/// Takes the bytes of the channel until the agent runs.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Everything that was no line of ours, for the details of a failure.
    noise: usize,
    /// The agent runs; nothing that follows is a line of ours.
    done: bool,
}

/// More noise than [`MAX_NOISE`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooMuchNoise;

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooMuchNoise> {
        self.buffer.extend_from_slice(bytes);
        if self.noise + self.buffer.len() > MAX_NOISE { Err(TooMuchNoise) } else { Ok(()) }
    }

    /// The next line of ours, when it is there whole.
    pub fn next(&mut self) -> Option<Answer> {
        while !self.done {
            let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
            let answer = answer(&String::from_utf8_lossy(&self.buffer[..end]));
            self.buffer.drain(..=end);
            if answer.is_some() {
                self.done = answer == Some(Answer::Run);
                return answer;
            }
            self.noise += end + 1;
        }
        None
    }

    /// What came behind the last line: the beginning of the agent's own bytes.
    pub fn rest(self) -> Vec<u8> {
        self.buffer
    }
}

fn answer(line: &str) -> Option<Answer> {
    // a profile may have printed something without a line end before us
    let (_, ours) = line.trim_end().split_once(MARK)?;
    let mut words = ours.split(' ');
    match (words.next()?, words.next()) {
        ("send", None) => Some(Answer::Send),
        ("run", None) => Some(Answer::Run),
        ("fail", Some("platform")) => Some(Answer::Failed(Trouble::Platform)),
        ("fail", Some("store")) => Some(Answer::Failed(Trouble::Store)),
        ("fail", Some("run")) => Some(Answer::Failed(Trouble::Run)),
        ("machine", Some(platform)) if is_plain(platform) => Some(Answer::Machine(machine(platform, words))),
        _ => None,
    }
}

/// It is shown to people, and a server may say anything.
fn is_plain(platform: &str) -> bool {
    platform.len() <= 64
        && platform.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn machine<'a>(platform: &str, words: impl Iterator<Item = &'a str>) -> Machine {
    let mut machine = Machine { platform: platform.to_owned(), ..Machine::default() };
    for word in words {
        match word.split_once('=') {
            Some(("boot", value)) => value.clone_into(&mut machine.boot),
            Some(("ns", value)) => value.clone_into(&mut machine.namespace),
            _ => {}
        }
    }
    machine
}

#[cfg(test)]
mod tests;
