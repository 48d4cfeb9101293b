//! What a pasted or opened text would become: profiles, and in words what was kept, repaired and left out.
//!
//! Pure: text in, [`ImportPreview`] out; nothing is saved, run, resolved or looked up. `own` reads our TOML,
//! `sshuttle` its command lines (split by `shell`, options by `options`). Start with [`preview`].

mod options;
mod own;
mod shell;
mod sshuttle;

use crate::{
    api::{Code, Failure, ImportPreview, ImportedProfile, Note, NoteKind, Profile},
    profile::{self, file::FileError},
};

/// Bytes of a text; as much as a profile's file may have.
const MAX_LENGTH: usize = 1 << 20;

/// Reads the text, whatever it is.
pub fn preview(text: &str) -> Result<ImportPreview, Failure> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    read(&text).map_err(|error| Failure::new(Code::Import, "this text", error.to_string()))
}

/// Why nothing can be made of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ImportError {
    #[error("there is nothing in it")]
    Empty,
    #[error("it is longer than 1 MiB")]
    TooLong,
    #[error("there is no sshuttle command in it, and no line “format = 1” as in a profile")]
    Unknown,
    #[error("there is no [[profile]] in it")]
    NoProfile,
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Shell(#[from] shell::ShellError),
    #[error("{0} needs a value behind it")]
    NoValue(String),
}

fn read(text: &str) -> Result<ImportPreview, ImportError> {
    if text.trim().is_empty() {
        return Err(ImportError::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(ImportError::TooLong);
    }
    let (source, profiles) = if is_own(text) {
        ("Ropeway profile", own::read(text)?)
    } else {
        ("sshuttle command line", sshuttle::read(text)?)
    };
    Ok(ImportPreview { source: source.into(), profiles })
}

/// Also when it is broken: then its mistake is worth telling, not that it is no command.
fn is_own(text: &str) -> bool {
    let begins = |line: &str, word: &str| {
        line.trim_start().strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.parse::<toml::Table>().is_ok()
        || text.lines().any(|line| begins(line, "format") || line.trim_start().starts_with("[[profile]]"))
}

fn imported(profile: Profile, notes: Vec<Note>) -> ImportedProfile {
    let checked = profile::check(&profile);
    ImportedProfile { profile, checked, notes }
}

fn note(kind: NoteKind, about: impl Into<String>, text: impl Into<String>) -> Note {
    Note { kind, about: about.into(), text: text.into() }
}

/// Takes a password out of `user:password@host`, and says so without repeating it.
fn drop_password(server: &mut String) -> Option<Note> {
    let (user, host) = server.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    let about = format!("{name}:\u{2026}@{host}");
    *server = if name.is_empty() { host.into() } else { format!("{name}@{host}") };
    let text = "There was a password in it, which does not belong in a profile and was left out. Use a key, or type the password when ssh asks for it.";
    Some(note(NoteKind::Danger, about, text))
}

fn runs_a_program(command: &str) -> Note {
    note(
        NoteKind::Danger,
        command,
        "Connecting runs this program on this computer. Import it only if you know what it does.",
    )
}

#[cfg(test)]
mod tests;
