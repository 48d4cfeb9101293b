//! One pass over a typed profile: what it means, and every problem at its field.

use std::{collections::HashMap, env, path::Path};

use ropeway_helper_api::Route;
use ropeway_mux::Latency;

use super::{Capture, Later, Parsed, Server, latency, names};
use crate::{
    api::{Checked, Expansion, Field, Problem, Profile, Reach, WhileDown},
    spelling::Mistake,
    subnet::{self, Subnet},
};

/// Characters of a name: a tray menu and a side bar show it in one line.
const NAME_LENGTH: usize = 64;

/// What can be read of it, and all problems. Only without problems is the first half the whole profile.
pub fn examine(profile: &Profile) -> (Parsed, Checked) {
    let mut found = Checked::default();
    found.problems.extend(name_problem(&profile.name));
    let server = server(&profile.server, &mut found);
    let ssh_command = ssh_command(&profile.ssh_command, &mut found);
    let (include, include_later) = entries(Field::Subnets, &profile.subnets, &mut found);
    let (exclude, exclude_later) = entries(Field::Excludes, &profile.excludes, &mut found);
    let capture = capture(&profile.capture, profile.while_down, &mut found);
    let latency = latency(&profile.latency, &mut found);
    let names = names::read(&profile.names, &mut found);
    let reach = reach(&profile.reach, &mut found);
    if profile.subnets.is_empty() && !profile.reach.auto_nets && !profile.names.dns {
        found.problems.push(problem(
            Field::Subnets,
            "At least one network is needed: for example 10.0.0.0/8, or 0/0 for everything.",
        ));
    }
    let mut seen = HashMap::new();
    repetitions(Field::Subnets, &include, &mut seen, &mut found);
    repetitions(Field::Excludes, &exclude, &mut seen, &mut found);
    let (include, exclude) = (meant(include), meant(exclude));
    let while_down = profile.while_down;
    let parsed = Parsed {
        server,
        ssh_command,
        include,
        exclude,
        include_later,
        exclude_later,
        capture,
        while_down,
        latency,
        names,
        reach,
    };
    (parsed, found)
}

/// A network with its place in the list.
struct Entry {
    index: u32,
    typed: String,
    subnet: Subnet,
}

fn meant(entries: Vec<Entry>) -> Vec<(String, Subnet)> {
    entries.into_iter().map(|entry| (entry.typed, entry.subnet)).collect()
}

fn name_problem(name: &str) -> Option<Problem> {
    if name.trim().is_empty() {
        return Some(problem(Field::Name, "A profile needs a name."));
    }
    if let Some(at) = name.chars().position(char::is_control) {
        let span = Some((at as u32, at as u32 + 1));
        return Some(Problem {
            span,
            ..problem(Field::Name, "There is an invisible character in the name.")
        });
    }
    let length = name.chars().count();
    let span = Some((NAME_LENGTH as u32, length as u32));
    let message = format!("A name has at most {NAME_LENGTH} characters.");
    (length > NAME_LENGTH).then(|| Problem { span, ..problem(Field::Name, message) })
}

fn server(text: &str, found: &mut Checked) -> Option<Server> {
    if text.is_empty() {
        return None;
    }
    Server::parse(text).map_err(|mistake| found.problems.push(at(Field::Server, None, mistake))).ok()
}

fn ssh_command(text: &str, found: &mut Checked) -> Vec<String> {
    let home = env::home_dir();
    let words = shell_words::split(text).unwrap_or_else(|_| {
        found.problems.push(problem(Field::SshCommand, "A quotation mark is opened and never closed."));
        vec![]
    });
    match words.first() {
        None => vec!["ssh".into()],
        Some(program) if program.is_empty() => {
            found.problems.push(problem(Field::SshCommand, "The name of the program is empty."));
            words
        }
        Some(_) if text.contains('\0') => {
            found
                .problems
                .push(problem(Field::SshCommand, "There is an invisible character in the command."));
            words
        }
        Some(_) => words.into_iter().map(|word| from_home(word, home.as_deref())).collect(),
    }
}

/// `~/.ssh/other` in full, as a shell would write it; ssh itself does so for some of its options only.
fn from_home(word: String, home: Option<&Path>) -> String {
    match (word.strip_prefix("~/"), home.and_then(Path::to_str)) {
        (Some(path), Some(home)) => format!("{home}/{path}"),
        _ => word,
    }
}

fn capture(text: &str, while_down: WhileDown, found: &mut Checked) -> Capture {
    let capture = Capture::parse(text).unwrap_or_else(|mistake| {
        found.problems.push(at(Field::Capture, None, mistake));
        Capture::default()
    });
    // what is held outlives the programs, and with them their cgroup
    if matches!(capture, Capture::Cgroup(_)) && while_down != WhileDown::Open {
        found.problems.push(problem(
            Field::Capture,
            "While the tunnel is down, a user's, a group's or everyone's traffic can be held, not a cgroup's.",
        ));
    }
    capture
}

fn latency(text: &str, found: &mut Checked) -> Latency {
    latency::parse(text).unwrap_or_else(|mistake| {
        found.problems.push(at(Field::Latency, None, mistake));
        Latency::default()
    })
}

/// Which interfaces there are is known only when it is switched on.
fn reach(reach: &Reach, found: &mut Checked) -> Reach {
    for (index, interface) in (0..).zip(&reach.share) {
        // `IFNAMSIZ` with its end, and what the kernel refuses in a name
        let fits = (1..16).contains(&interface.len())
            && !interface.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
        if !fits {
            let message = "This is not the name of an interface: it looks like docker0.";
            found.problems.push(Problem { index: Some(index), ..problem(Field::Share, message) });
        }
    }
    reach.clone()
}

/// The networks, and what becomes networks later.
fn entries(field: Field, texts: &[String], found: &mut Checked) -> (Vec<Entry>, Vec<(String, Later)>) {
    let (mut now, mut later) = (vec![], vec![]);
    for (index, typed) in (0..).zip(texts) {
        let (means, note) = match subnet::parse_entry(typed) {
            Ok(subnet::Entry::Net(subnet)) => {
                let words = (subnet.to_string(), subnet.note());
                now.push(Entry { index, typed: typed.clone(), subnet });
                words
            }
            Ok(subnet::Entry::Name(named)) => {
                let words = (named.to_string(), named.note());
                later.push((typed.clone(), Later::Name(named)));
                words
            }
            Ok(subnet::Entry::File(path)) => {
                later.push((typed.clone(), Later::File(path)));
                (typed.clone(), "a file, read again when it changes".into())
            }
            Err(mistake) => {
                found.problems.push(at(field, Some(index), mistake));
                continue;
            }
        };
        found.expansions.push(Expansion { field, index, typed: typed.clone(), means, note });
    }
    (now, later)
}

/// Each route may be named once, on one side.
fn repetitions<'a>(
    field: Field,
    entries: &'a [Entry],
    seen: &mut HashMap<Route, (Field, &'a str)>,
    found: &mut Checked,
) {
    for entry in entries {
        let first = entry.subnet.routes().find_map(|route| seen.get(&route).copied());
        if let Some((side, typed)) = first {
            let message = repetition(side == field, &entry.typed, typed);
            found.problems.push(Problem { index: Some(entry.index), ..problem(field, message) });
        }
        for route in entry.subnet.routes() {
            seen.entry(route).or_insert((field, entry.typed.as_str()));
        }
    }
}

fn repetition(same_side: bool, typed: &str, first: &str) -> String {
    match (same_side, typed == first) {
        (true, true) => format!("{typed} is in the list twice."),
        (true, false) => format!("{typed} is in the list already, as {first}."),
        (false, true) => format!("{typed} is also a network that goes through; it can be only one of both."),
        (false, false) => {
            format!("{typed} is also a network that goes through, as {first}; it can be only one of both.")
        }
    }
}

pub(super) fn at(field: Field, index: Option<u32>, mistake: Mistake) -> Problem {
    let Mistake { span, message, suggestion } = mistake;
    Problem { field, index, span: Some(span), message, suggestion }
}

fn problem(field: Field, message: impl Into<String>) -> Problem {
    Problem { field, index: None, span: None, message: message.into(), suggestion: None }
}

#[cfg(test)]
mod tests;
