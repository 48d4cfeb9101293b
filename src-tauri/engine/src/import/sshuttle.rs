//! sshuttle's command line, as people keep it: in a script, an alias, a line of a terminal.
//!
//! What this version cannot do is told in words and left out; what sshuttle reads in another way than people is
//! repaired and told.

use std::net::IpAddr;

use super::{
    ImportError, drop_password, imported, note,
    options::{self, Argument, Fate, Side},
    runs_a_program,
    shell::{self, Command, Word},
};
use crate::{
    api::{ImportedProfile, Note, NoteKind, Profile},
    profile::{Server, latency},
    spelling::{Mistake, decimal},
    subnet::{self, Subnet},
};

/// What may stand in front of a program without being another one; `$` and `%` are prompts, copied along.
const WRAPPERS: [&str; 16] = [
    "sudo", "doas", "env", "nohup", "exec", "command", "time", "nice", "setsid", "python", "python2",
    "python3", "then", "do", "$", "%",
];

/// An alias in an alias in an alias is no longer something that a person wrote.
const MAX_DEPTH: usize = 3;

pub fn read(text: &str) -> Result<Vec<ImportedProfile>, ImportError> {
    let commands = shell::commands(text)?;
    let (mut found, others) = invocations(&commands, 0)?;
    match found.first_mut() {
        Some(first) => first.notes.extend(others),
        None => found.push(arguments_alone(commands).ok_or(ImportError::Unknown)?),
    }
    found.into_iter().map(Invocation::into_profile).collect()
}

/// One call of sshuttle.
struct Invocation {
    arguments: Vec<Word>,
    notes: Vec<Note>,
}

/// The calls of sshuttle, and a note on each command that is none.
fn invocations(commands: &[Command], depth: usize) -> Result<(Vec<Invocation>, Vec<Note>), ImportError> {
    let (mut found, mut others) = (vec![], vec![]);
    for command in commands {
        if depth < MAX_DEPTH && command.words[0].text == "alias" {
            for value in aliases(command) {
                let (inner, rest) = invocations(&shell::commands(value)?, depth + 1)?;
                found.extend(inner);
                others.extend(rest);
            }
        } else if let Some(program) = program(&command.words) {
            found.push(Invocation::new(command, program));
        } else {
            others.push(note(
                NoteKind::Dropped,
                joined(&command.words),
                "This is not sshuttle; it was left out.",
            ));
        }
    }
    Ok((found, others))
}

/// `alias work='sshuttle …'`
fn aliases(command: &Command) -> impl Iterator<Item = &str> {
    command.words[1..].iter().filter_map(|word| word.text.split_once('=')).map(|(_, value)| value)
}

/// Where sshuttle's name is, if that is what the command runs.
fn program(words: &[Word]) -> Option<usize> {
    let begin = words.iter().position(|word| !is_assignment(&word.text))?;
    let wrapped = WRAPPERS.contains(&base_name(&words[begin].text));
    let at = words.iter().position(|word| base_name(&word.text) == "sshuttle").filter(|&at| at >= begin)?;
    (at == begin || wrapped).then_some(at)
}

/// `NAME=value`
fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn base_name(program: &str) -> &str {
    program.rsplit_once('/').map_or(program, |(_, name)| name)
}

fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// A line that somebody copied without its program: `-r host 10/8`.
fn arguments_alone(commands: Vec<Command>) -> Option<Invocation> {
    let words: Vec<Word> = commands.into_iter().flat_map(|command| command.words).collect();
    words.first()?.text.starts_with('-').then(|| Invocation { arguments: words, notes: vec![] })
}

impl Invocation {
    fn new(command: &Command, program: usize) -> Self {
        let (front, arguments) = (&command.words[..program], command.words[program + 1..].to_vec());
        let mut notes: Vec<Note> =
            front.iter().filter(|word| is_assignment(&word.text)).map(variable).collect();
        let wrappers: Vec<Word> = front.iter().filter(|word| !is_assignment(&word.text)).cloned().collect();
        if !wrappers.is_empty() {
            notes.push(note(NoteKind::Dropped, joined(&wrappers), "Ropeway needs none of this around it."));
        }
        if command.background {
            notes.push(note(NoteKind::Dropped, "&", "Ropeway stays in the background by itself."));
        }
        if command.redirected {
            notes.push(note(
                NoteKind::Dropped,
                ">",
                "What sshuttle printed went elsewhere; a profile prints nothing.",
            ));
        }
        Self { arguments, notes }
    }

    fn into_profile(self) -> Result<ImportedProfile, ImportError> {
        let mut draft = Draft { profile: Profile::default(), notes: self.notes };
        for argument in options::read(self.arguments)? {
            draft.take(argument);
        }
        Ok(draft.finish())
    }
}

fn variable(word: &Word) -> Note {
    note(NoteKind::Dropped, &word.text, "Variables are not part of a profile.")
}

/// A profile on its way.
struct Draft {
    profile: Profile,
    notes: Vec<Note>,
}

impl Draft {
    fn take(&mut self, argument: Argument) {
        match argument {
            Argument::Option { option, typed, value } => self.option(option.fate, &typed, &value),
            Argument::Subnet(word) if word.text.starts_with('@') => {
                self.note(
                    NoteKind::Dropped,
                    word.text,
                    "What is in that file is not known here; import the file itself.",
                );
            }
            Argument::Subnet(word) => self.subnet(Side::Through, &word),
            Argument::Unknown { typed } => {
                self.note(NoteKind::Dropped, typed, "sshuttle has no such option.");
            }
            Argument::Ambiguous { typed, candidates } => {
                let text = format!("It could be any of --{}; it was left out.", candidates.join(", --"));
                self.note(NoteKind::Dropped, typed, text);
            }
        }
    }

    fn option(&mut self, fate: Fate, typed: &str, value: &Word) {
        let about = [typed, &value.text].join(" ").trim_end().to_owned();
        match fate {
            Fate::Remote => self.remote(value),
            Fate::Exclude => self.subnet(Side::Direct, value),
            Fate::SshCommand => self.ssh_command(value),
            Fate::Capture(kind) => self.capture(kind, about, value),
            Fate::BufferSize => self.buffer_size(about, value),
            Fate::NoLatencyControl => self.no_latency_control(about),
            Fate::AutoNets => {
                self.profile.reach.auto_nets = true;
                self.note(
                    NoteKind::Kept,
                    about,
                    "The networks of the server's routing table go through, too.",
                );
            }
            Fate::Dns => {
                self.profile.names.dns = true;
                self.note(NoteKind::Kept, about, "Questions to name servers are answered on the server.");
            }
            Fate::AutoHosts => {
                self.profile.names.auto_hosts = true;
                self.note(NoteKind::Kept, about, "Names of computers near the server are looked for.");
            }
            Fate::NsHosts => self.listed(value, |profile| &mut profile.names.ns_hosts),
            Fate::ToNs => self.listed(value, |profile| &mut profile.names.name_servers),
            Fate::SeedHosts => self.listed(value, |profile| &mut profile.names.seed_hosts),
            Fate::From(side) => self.file(side, about, value),
            Fate::NotYet(what) => {
                self.note(NoteKind::Dropped, about, format!("Not carried over yet. {what}."));
            }
            Fate::Needless(why) => self.note(NoteKind::Dropped, about, why),
        }
    }

    fn remote(&mut self, value: &Word) {
        self.expanded(value);
        let mut server = value.text.clone();
        self.notes.extend(drop_password(&mut server));
        if let Some(better) = Server::parse(&server).err().and_then(|mistake| mistake.suggestion) {
            self.note(NoteKind::Repaired, server, format!("Here it is written {better}."));
            server = better;
        }
        let before = std::mem::replace(&mut self.profile.server, server);
        if !before.is_empty() {
            self.note(
                NoteKind::Dropped,
                before,
                "A second server was named, and sshuttle uses the last one.",
            );
        }
    }

    fn ssh_command(&mut self, value: &Word) {
        self.expanded(value);
        self.profile.ssh_command.clear();
        if value.text.trim() != "ssh" {
            self.profile.ssh_command.clone_from(&value.text);
        }
    }

    /// sshuttle takes only what matches both; a profile has one.
    fn capture(&mut self, kind: &str, about: String, value: &Word) {
        self.expanded(value);
        if !self.profile.capture.is_empty() {
            let text = format!(
                "A profile takes one user's or one group's programs; {} stays.",
                self.profile.capture
            );
            return self.note(NoteKind::Dropped, about, text);
        }
        self.profile.capture = format!("{kind}:{}", value.text);
        let text = format!("Only programs of the {kind} {} go through; nothing else does.", value.text);
        self.note(NoteKind::Kept, about, text);
    }

    /// To sshuttle, no control is no control, whatever the size of the buffer.
    fn buffer_size(&mut self, about: String, value: &Word) {
        if self.profile.latency == latency::UNLIMITED {
            return self.note(NoteKind::Dropped, about, "Without latency control it means nothing.");
        }
        let text = value.text.trim();
        match latency::parse(text) {
            _ if decimal(text).is_none() => {
                self.note(NoteKind::Dropped, about, "It takes a number of bytes.");
            }
            Ok(_) => {
                self.profile.latency = text.into();
                let text =
                    "At most so many bytes are under way. Without this, Ropeway follows the link by itself.";
                self.note(NoteKind::Kept, about, text);
            }
            Err(Mistake { message, suggestion: Some(better), .. }) => {
                self.note(NoteKind::Repaired, about, format!("{message} It was taken as {better}."));
                self.profile.latency = better;
            }
            Err(Mistake { message, .. }) => self.note(NoteKind::Dropped, about, message),
        }
    }

    fn listed(&mut self, value: &Word, list: fn(&mut Profile) -> &mut Vec<String>) {
        self.expanded(value);
        let entries = value.text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let list = list(&mut self.profile);
        for entry in entries {
            if !list.iter().any(|other| other == entry) {
                list.push(entry.into());
            }
        }
    }

    /// A path that begins in the folder where sshuttle was called means nothing here.
    fn file(&mut self, side: Side, about: String, value: &Word) {
        self.expanded(value);
        let entry = format!("@{}", value.text);
        if subnet::parse_entry(&entry).is_err() {
            let text = "Only the folder it was called in knows where that file is; write its whole path.";
            return self.note(NoteKind::Dropped, about, text);
        }
        match side {
            Side::Through => self.profile.subnets.push(entry),
            Side::Direct => self.profile.excludes.push(entry),
        }
        self.note(NoteKind::Kept, about, "The file is read again whenever it changes.");
    }

    fn no_latency_control(&mut self, about: String) {
        self.profile.latency = latency::UNLIMITED.into();
        let text =
            "Nothing keeps the line quick under load. Ropeway is as fast without this, and keeps it quick.";
        self.note(NoteKind::Kept, about, text);
    }

    fn subnet(&mut self, side: Side, word: &Word) {
        self.expanded(word);
        let text = self.repaired(&word.text);
        let list = match side {
            Side::Through => &mut self.profile.subnets,
            Side::Direct => &mut self.profile.excludes,
        };
        let known = subnet::parse(&text).is_ok_and(|subnet| meant(list).any(|other| other == subnet));
        if known {
            self.note(NoteKind::Repaired, text, "It was named twice; once is enough.");
        } else {
            list.push(text);
        }
    }

    /// The network in a spelling that we take, where it is certain what sshuttle would have made of it.
    fn repaired(&mut self, text: &str) -> String {
        match subnet::parse(text) {
            Ok(subnet) => {
                self.note_short_form(text, &subnet);
                text.into()
            }
            // To sshuttle 10.1 is one address, to people a network: the editor asks which.
            Err(_) if subnet::is_short(text) && !text.contains('/') => text.into(),
            Err(mistake) => match mistake.suggestion {
                Some(better) => {
                    self.note(
                        NoteKind::Repaired,
                        text,
                        format!("{} It was taken as {better}.", mistake.message),
                    );
                    better
                }
                None => text.into(),
            },
        }
    }

    fn note_short_form(&mut self, text: &str, subnet: &Subnet) {
        if let Some(other) = subnet::to_inet_aton(text).filter(|other| other != subnet) {
            let text_of_note =
                format!("It means {subnet}, as sshuttle 0.54 had it; sshuttle 2.0 captures {other}.");
            self.note(NoteKind::Repaired, text, text_of_note);
        }
    }

    /// What a shell would have put in.
    fn expanded(&mut self, word: &Word) {
        if word.home {
            self.note(
                NoteKind::Repaired,
                &word.text,
                "$HOME is written as ~ here, which is your home folder, too.",
            );
        }
        for part in &word.unknown {
            let text = "Only a shell knows what this stands for; write its value into the profile.";
            self.note(NoteKind::Danger, part, text);
        }
    }

    fn note(&mut self, kind: NoteKind, about: impl Into<String>, text: impl Into<String>) {
        self.notes.push(note(kind, about, text));
    }

    fn finish(mut self) -> ImportedProfile {
        if !self.profile.ssh_command.is_empty() {
            self.notes.push(runs_a_program(&self.profile.ssh_command));
        }
        self.profile.name = match Server::parse(&self.profile.server) {
            Ok(server) => server.host().chars().take(64).collect(),
            Err(_) => "Imported".into(),
        };
        if self.profile.server.is_empty() {
            self.note(NoteKind::Kept, "", "No server is named: traffic leaves from this computer.");
        }
        self.notes.extend(server_in_range(&self.profile));
        imported(self.profile, self.notes)
    }
}

fn meant(list: &[String]) -> impl Iterator<Item = Subnet> {
    list.iter().filter_map(|text| subnet::parse(text).ok())
}

/// A trap in sshuttle, none here; worth a word to those who know it.
fn server_in_range(profile: &Profile) -> Option<Note> {
    let address: IpAddr = Server::parse(&profile.server).ok()?.host().parse().ok()?;
    if meant(&profile.excludes).any(|subnet| subnet.net().contains(&address)) {
        return None;
    }
    let around = meant(&profile.subnets).find(|subnet| subnet.net().contains(&address))?;
    let text = format!(
        "The server lies inside {around}. That is all right here: Ropeway's own connection stays direct."
    );
    Some(note(NoteKind::Kept, &profile.server, text))
}
