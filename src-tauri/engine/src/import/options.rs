//! The options of sshuttle (0.54 to 2.0), and its way of reading them: `-vNHr host`, `--rem=host`, `--`.

use super::{ImportError, shell::Word};

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Remote,
    Exclude,
    SshCommand,
    /// Whose programs alone: the word in front of the name in a profile.
    Capture(&'static str),
    /// Bytes that may be under way.
    BufferSize,
    NoLatencyControl,
    AutoNets,
    AutoHosts,
    Dns,
    /// A list with commas.
    NsHosts,
    ToNs,
    SeedHosts,
    /// A file of networks, on that side.
    From(Side),
    /// Not in Ropeway yet; the words say what is missing, "Looking for …".
    NotYet(&'static str),
    /// Has no place in a profile; the words say why.
    Needless(&'static str),
}

/// Which of a profile's two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Through,
    Direct,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Opt {
    short: Option<char>,
    long: &'static str,
    takes_value: bool,
    pub fate: Fate,
}

/// One argument, read.
#[derive(Debug, PartialEq, Eq)]
pub enum Argument {
    Option {
        option: &'static Opt,
        typed: String,
        value: Word,
    },
    /// Several options begin like this.
    Ambiguous {
        typed: String,
        candidates: Vec<&'static str>,
    },
    Unknown {
        typed: String,
    },
    Subnet(Word),
}

use Fate::{
    AutoHosts, AutoNets, BufferSize, Capture, Dns, Exclude, From, Needless, NoLatencyControl, NotYet,
    NsHosts, Remote, SeedHosts, SshCommand, ToNs,
};

const AS_SERVICE: &str = "Ropeway stays in the background by itself.";
const FOR_TESTS: &str = "It is only for sshuttle's own use.";
const PRIVILEGES: &str = "Ropeway needs no such set-up.";

const OPTIONS: &[Opt] = &[
    value('r', "remote", Remote),
    value('x', "exclude", Exclude),
    value('e', "ssh-cmd", SshCommand),
    value('l', "listen", NotYet("Listening for other computers")),
    flag('H', "auto-hosts", AutoHosts),
    flag('N', "auto-nets", AutoNets),
    long_flag("dns", Dns),
    long_value("ns-hosts", NsHosts),
    long_value("to-ns", ToNs),
    long_value("method", NotYet("Choosing how traffic is captured")),
    long_value("python", Needless("Nothing of Python runs on the server.")),
    value('X', "exclude-from", From(Side::Direct)),
    value('s', "subnets", From(Side::Through)),
    long_value("seed-hosts", SeedHosts),
    long_flag("disable-ipv6", NotYet("Switching IPv6 off; only the networks in the list go through")),
    long_value("user", Capture("user")),
    long_value("group", Capture("group")),
    value('t', "tmark", NotYet("Choosing a traffic mark")),
    long_value("namespace", NotYet("Working in another network namespace")),
    long_value("namespace-pid", NotYet("Working in another network namespace")),
    long_value("remote-shell", NotYet("Choosing the server's shell")),
    long_flag("no-latency-control", NoLatencyControl),
    long_value("latency-buffer-size", BufferSize),
    flag('D', "daemon", Needless(AS_SERVICE)),
    long_flag("syslog", Needless(AS_SERVICE)),
    long_value("pidfile", Needless(AS_SERVICE)),
    flag('v', "verbose", Needless("How much is told is not part of a profile.")),
    flag('V', "version", Needless("It only shows a version.")),
    flag('h', "help", Needless("It only shows a help text.")),
    long_flag("no-cmd-delimiter", Needless("Ropeway starts its program on the server in its own way.")),
    long_value("wrap", Needless(FOR_TESTS)),
    long_flag("firewall", Needless(FOR_TESTS)),
    long_flag("hostwatch", Needless(FOR_TESTS)),
    long_flag("no-sudo-pythonpath", Needless(PRIVILEGES)),
    long_flag("sudoers", Needless(PRIVILEGES)),
    long_flag("sudoers-no-modify", Needless(PRIVILEGES)),
    long_value("sudoers-user", Needless(PRIVILEGES)),
];

/// The options of sshuttle 0.54: what was a unique abbreviation then is still in people's scripts.
const IN_0_54: [&str; 14] = [
    "listen",
    "auto-hosts",
    "auto-nets",
    "dns",
    "python",
    "remote",
    "exclude",
    "verbose",
    "ssh-cmd",
    "seed-hosts",
    "no-latency-control",
    "daemon",
    "syslog",
    "pidfile",
];

const fn value(short: char, long: &'static str, fate: Fate) -> Opt {
    Opt { short: Some(short), long, takes_value: true, fate }
}

const fn flag(short: char, long: &'static str, fate: Fate) -> Opt {
    Opt { short: Some(short), long, takes_value: false, fate }
}

const fn long_value(long: &'static str, fate: Fate) -> Opt {
    Opt { short: None, long, takes_value: true, fate }
}

const fn long_flag(long: &'static str, fate: Fate) -> Opt {
    Opt { short: None, long, takes_value: false, fate }
}

/// Reads what stands behind the program's name.
pub fn read(words: Vec<Word>) -> Result<Vec<Argument>, ImportError> {
    let mut read = vec![];
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "--" => read.extend(words.by_ref().map(Argument::Subnet)),
            text if text.starts_with("--") => read.push(long(&word, &mut words)?),
            text if text.starts_with('-') && text.len() > 1 => cluster(&word, &mut words, &mut read)?,
            _ => read.push(Argument::Subnet(word)),
        }
    }
    Ok(read)
}

/// `--remote host`, `--remote=host`, `--rem host`
fn long(word: &Word, rest: &mut impl Iterator<Item = Word>) -> Result<Argument, ImportError> {
    let (typed, inline) =
        word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
    let candidates = by_long(&typed[2..]);
    let [option] = candidates[..] else {
        let candidates: Vec<&str> = candidates.iter().map(|option| option.long).collect();
        let typed = typed.into();
        return Ok(if candidates.is_empty() {
            Argument::Unknown { typed }
        } else {
            Argument::Ambiguous { typed, candidates }
        });
    };
    let inline = inline.map(|text| Word { text: text.into(), ..word.clone() });
    let value = if option.takes_value { following(typed, inline, rest)? } else { Word::default() };
    Ok(Argument::Option { option, typed: typed.into(), value })
}

/// All that begin like this; only one, if it is its name or if it was unique when there were fewer options.
fn by_long(typed: &str) -> Vec<&'static Opt> {
    if let Some(exact) = OPTIONS.iter().find(|option| option.long == typed) {
        return vec![exact];
    }
    let all: Vec<&Opt> = OPTIONS.iter().filter(|option| option.long.starts_with(typed)).collect();
    let old: Vec<&Opt> = all.iter().copied().filter(|option| IN_0_54.contains(&option.long)).collect();
    if old.len() == 1 { old } else { all }
}

/// `-vNHr host`, `-rhost`
fn cluster(
    word: &Word,
    rest: &mut impl Iterator<Item = Word>,
    read: &mut Vec<Argument>,
) -> Result<(), ImportError> {
    for (at, letter) in word.text.char_indices().skip(1) {
        let typed = format!("-{letter}");
        let Some(option) = OPTIONS.iter().find(|option| option.short == Some(letter)) else {
            read.push(Argument::Unknown { typed });
            continue;
        };
        if !option.takes_value {
            read.push(Argument::Option { option, typed, value: Word::default() });
            continue;
        }
        let inline = &word.text[at + letter.len_utf8()..];
        let inline = (!inline.is_empty())
            .then(|| Word { text: inline.trim_start_matches('=').into(), ..word.clone() });
        let value = following(&typed, inline, rest)?;
        read.push(Argument::Option { option, typed, value });
        break;
    }
    Ok(())
}

fn following(
    typed: &str,
    inline: Option<Word>,
    rest: &mut impl Iterator<Item = Word>,
) -> Result<Word, ImportError> {
    let value = inline.or_else(|| rest.next()).filter(|value| !is_option(&value.text));
    value.ok_or_else(|| ImportError::NoValue(typed.into()))
}

/// What sshuttle would not take for a value.
fn is_option(text: &str) -> bool {
    text.starts_with('-') && text.len() > 1 && !text.contains(' ')
}

#[cfg(test)]
mod tests;
