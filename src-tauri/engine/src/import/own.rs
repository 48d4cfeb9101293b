//! Our own TOML: one profile at the top level, or many `[[profile]]`.

use toml::{Table, Value};

use super::{ImportError, drop_password, imported, note, runs_a_program};
use crate::{
    api::{ImportedProfile, Note, NoteKind, Profile, ProfileId},
    profile::file::{Entry, KEYS, check_format, typed},
};

#[derive(serde::Deserialize)]
struct Many {
    profile: Vec<Entry>,
}

pub fn read(text: &str) -> Result<Vec<ImportedProfile>, ImportError> {
    check_format(text)?;
    let table: Table = typed(text)?;
    if !table.contains_key("profile") {
        let entry: Entry = typed(text)?;
        return Ok(vec![profile(entry, unknown_keys(&table, &KEYS))]);
    }
    let Many { profile: entries } = typed(text)?;
    if entries.is_empty() {
        return Err(ImportError::NoProfile);
    }
    let mut outside = unknown_keys(&table, &["format", "profile"]);
    let tables = table["profile"].as_array().into_iter().flatten();
    let inside = tables.map(|entry| entry.as_table().map_or(vec![], |entry| unknown_keys(entry, &KEYS)));
    Ok(entries
        .into_iter()
        .zip(inside)
        .map(|(entry, notes)| profile(entry, [std::mem::take(&mut outside), notes].concat()))
        .collect())
}

fn profile(entry: Entry, mut notes: Vec<Note>) -> ImportedProfile {
    let mut profile: Profile = entry.into_profile(ProfileId::default());
    notes.extend(drop_password(&mut profile.server));
    if !profile.ssh_command.trim().is_empty() {
        notes.push(runs_a_program(&profile.ssh_command));
    }
    imported(profile, notes)
}

fn unknown_keys(table: &Table, known: &[&str]) -> Vec<Note> {
    let unknown = table.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    unknown
        .map(|(key, value)| {
            note(
                NoteKind::Dropped,
                shown(key, value),
                "This version of Ropeway does not know it; it was left out.",
            )
        })
        .collect()
}

fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Table(_) | Value::Array(_) => key.into(),
        plain => format!("{key} = {plain}"),
    }
}
