//! The one table of words for people: failures by code, and states.
//!
//! A title says what happened to the user; the cause says why that is likely and what to do. No exit codes, no
//! pointing at logs, no blame, no asking for root. Nothing here decides anything. Start with [`of`].

mod state;

use crate::api::{Code, Failure};

pub use state::state;

/// Title and cause of a code; `{}` in them is the subject.
pub struct Words {
    pub title: &'static str,
    pub cause: &'static str,
}

impl Failure {
    pub fn new(code: Code, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        let (subject, words) = (subject.into(), of(code));
        Self {
            code,
            title: words.title.replace("{}", &subject),
            cause: words.cause.replace("{}", &subject),
            subject,
            detail: harmless(&detail.into()),
        }
    }
}

/// Details are other programs' words, a server's too: nothing in them may steer a terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect()
}

/// The words of a code. The subject is a server for those of login and agent, "this computer" for those of helper
/// and firewall, a name or a file for those of profiles.
// It is a table; splitting it would only hide the one that is missing.
#[allow(clippy::too_many_lines)]
pub fn of(code: Code) -> Words {
    match code {
        Code::AuthKey => words(
            "{} refused your key.",
            "The server does not know any of the keys that were offered. Add the right one to your ssh agent, or name \
             it for this server in ~/.ssh/config.",
        ),
        Code::HostKeyNew => words(
            "First visit to {}.",
            "This computer does not know the server's identity yet. Connect to it once with ssh in a terminal, compare \
             the fingerprint with what its owner says, then connect here.",
        ),
        Code::HostKeyChanged => words(
            "The identity of {} changed.",
            "It was set up anew, or somebody stands between you and it. Do not continue unless you expected this. If \
             you did, remove its old line from ~/.ssh/known_hosts and connect again.",
        ),
        Code::ServerName => words(
            "No address was found for {}.",
            "The name may be misspelt, or this computer is not online just now. Check the spelling and the network.",
        ),
        Code::ServerUnreachable => words(
            "{} does not answer.",
            "It may be switched off, behind a firewall, or listening on another port. Check the server's name and port, \
             and that this computer is online.",
        ),
        Code::Ssh => words(
            "Signing in to {} did not work.",
            "ssh stopped before the login was complete. Its own words are in the details; the same login in a terminal \
             often says more.",
        ),
        Code::SshMissing => words(
            "ssh could not be started for {}.",
            "There is no ssh program on this computer, or the profile names another one that is not there. Install \
             OpenSSH's client, or correct the ssh command in the profile.",
        ),
        Code::SshEnded => words(
            "The connection to {} was lost.",
            "The network changed, the server restarted, or it ended the login. Connect again when both are back.",
        ),
        Code::NoExec => words(
            "{} forbids running programs.",
            "The tunnel needs a small program of ours on the server for as long as it is up. Use an account that may \
             run programs.",
        ),
        Code::AgentEnded => words(
            "Our program on {} ended.",
            "The server stopped it or ran short of memory; the login itself still works. Connect again to start a new \
             one.",
        ),
        Code::Agent => words(
            "Our program cannot run on {}.",
            "There is none for that kind of system, or the account has no place where it may store and run one. Free \
             some space in its home folder, or use another server.",
        ),
        Code::Protocol => words(
            "{} sent something we do not understand.",
            "A start-up file of the account, or something on the way, mixes other text into the connection. Check that \
             a plain ssh login works, then connect again.",
        ),
        Code::SameMachine => words(
            "{} is this computer.",
            "The login leads back to where you are, so traffic would go round in circles. Use the profile \
             \u{201c}This computer\u{201d}, or a server elsewhere.",
        ),
        Code::HelperBusy => words(
            "Another Ropeway looks after the network of {}.",
            "Only one at a time can do that: perhaps another user's, or one in a terminal. Quit the other one, then \
             connect again.",
        ),
        Code::HelperOld => words(
            "The set-up part of {} does not fit this app.",
            "One of the two was updated and the other was not. Update the set-up; if Ropeway came with a package, update \
             that package instead.",
        ),
        Code::HelperMissing => words(
            "The set-up part of {} did not start.",
            "It is not installed, or it is damaged. Set up this computer again; an administrator is asked for it.",
        ),
        Code::NotGranted => words(
            "You may not send traffic of {} through a tunnel yet.",
            "An administrator has to allow it once. Set-up asks for that; afterwards nobody is asked again.",
        ),
        Code::Denied => words(
            "Nothing was changed on {}.",
            "The administrator\u{2019}s password was not given, or the question was closed. Try again when somebody who \
             may allow it is there.",
        ),
        Code::HelperSetup => words(
            "Set-up of {} did not finish.",
            "The part of Ropeway that changes network rules could not be put in its place. Nothing is half-installed; \
             the details say what was in the way.",
        ),
        Code::DnsTaken => words(
            "Another tunnel answers for {} already.",
            "The one that came first keeps these names. Let one of the two profiles answer for other domains, or \
             disconnect one.",
        ),
        Code::FirewallGone => words(
            "Another program removed our network rules.",
            "They were put back at once. A firewall that is loaded anew often does this; connections made in between \
             went their usual way.",
        ),
        Code::Hosts => words(
            "The names of {} could not be changed.",
            "The hosts file is read-only or its disk is full. Everything else works; names of the far network do not.",
        ),
        Code::Unsupported => words(
            "{} cannot do that yet.",
            "This part of Ropeway does not exist for this system, or its set-up part is of an older version.",
        ),
        Code::HelperGone => words(
            "The network rules of {} were taken away.",
            "The part of Ropeway that holds them ended. Connections go their usual way until the rules are back; \
             connect again if that takes long.",
        ),
        Code::Firewall => words(
            "The network rules of {} could not be changed.",
            "Its kernel does not offer nftables, or keeps it from us, as many containers do. Run Ropeway where nftables \
             works.",
        ),
        Code::CannotHold => words(
            "Traffic of {} cannot be held.",
            "Ropeway's own login could not be told apart here, so it would be held as well. Start Ropeway from the \
             desktop or as a service, or let traffic go its usual way while the tunnel is down.",
        ),
        Code::Resources => words(
            "This computer has too little left for a tunnel.",
            "Memory, ports, open files or disk space have run out. Close some programs or free some space, then connect \
             again.",
        ),
        Code::TooManyOpen => words(
            "Too many connections for {}.",
            "Every connection is an open file, and no more of them are allowed. New connections wait or end at once until \
             others have ended; the details say how to allow more.",
        ),
        Code::ProfileMissing => words(
            "There is no profile {} any more.",
            "It was deleted, or its file was moved. Choose another profile, or make this one again.",
        ),
        Code::ProfileInvalid => words(
            "The profile {} is not ready to use.",
            "Something in it is missing or misspelt; the details say what.",
        ),
        Code::ProfileFile => words(
            "{} cannot be read as a profile.",
            "Something in the file is not as it should be, often after an edit by hand. Correct it in a text editor, or \
             remove it; until then it stays as it is, and all other profiles work.",
        ),
        Code::ProfileSave => words(
            "{} could not be saved.",
            "The disk may be full, or the folder of profiles may not be yours to write to. Nothing that was saved \
             before is lost; correct that and save again.",
        ),
        Code::Import => words(
            "Nothing could be imported from {}.",
            "It is neither a Ropeway profile nor an sshuttle command line, or a piece of it is missing. Nothing was \
             changed.",
        ),
        Code::Internal => words(
            "Something went wrong inside Ropeway.",
            "This is ours to fix. Connect again; if it comes back, please report it with the details.",
        ),
    }
}

fn words(title: &'static str, cause: &'static str) -> Words {
    Words { title, cause }
}

#[cfg(test)]
mod tests;
