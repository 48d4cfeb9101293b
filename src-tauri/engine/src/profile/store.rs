//! The folder of profiles: one `<id>.toml` each, readable by the user alone, replaced as a whole or not at all.
//!
//! A file that cannot be read is reported and never touched. What is in a file is `file`'s business; whether it
//! makes sense is `check`'s.

pub(crate) mod disk;

use std::{
    error::Error,
    ffi::OsStr,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{file, id};
use crate::api::{BrokenProfile, Code, Failure, Profile, ProfileId};

/// The id of "This computer": always in the list, with no server.
pub const BUILT_IN: &str = "this-computer";

const BUILT_IN_NAME: &str = "This computer";

/// All saved profiles. Cheap; holds nothing but the path.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Every profile in the order to show (by name, "This computer" last), and every file that is none.
    pub fn load_all(&self) -> (Vec<Profile>, Vec<BrokenProfile>) {
        let (mut profiles, mut broken) = (vec![], vec![]);
        for path in self.files(&mut broken) {
            match load(&path) {
                Ok(profile) => profiles.push(profile),
                Err(failure) => broken.push(BrokenProfile { file: path.display().to_string(), failure }),
            }
        }
        if !profiles.iter().any(|profile| profile.built_in) {
            profiles.push(built_in(Profile::default()));
        }
        profiles.sort_by_cached_key(|profile| {
            (profile.built_in, profile.name.to_lowercase(), profile.id.clone())
        });
        (profiles, broken)
    }

    /// Saves under the profile's id, or under a new one if it has none, or if there is a file of that id that
    /// must not be overwritten because it cannot be read. Says which id it was.
    pub fn save(&self, profile: &Profile) -> Result<ProfileId, Failure> {
        let failed = |error: &io::Error| Failure::new(Code::ProfileSave, &profile.name, error.to_string());
        disk::create_folder(&self.folder).map_err(|error| failed(&error))?;
        if profile.id.0.is_empty() {
            return self.save_new(profile).map_err(|error| failed(&error));
        }
        let path = self.path(&profile.id).ok_or_else(|| missing(&profile.id))?;
        match save_over(&path, profile) {
            Ok(()) => Ok(profile.id.clone()),
            Err(error) if error.kind() == ErrorKind::InvalidData && profile.id.0 != BUILT_IN => {
                self.save_new(profile).map_err(|error| failed(&error))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Removes the file. "This computer" stays in the list, as it was before it was first changed.
    pub fn delete(&self, id: &ProfileId) -> Result<(), Failure> {
        let path = self.path(id).ok_or_else(|| missing(id))?;
        match fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && id.0 == BUILT_IN => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(missing(id)),
            Err(error) => Err(Failure::new(Code::ProfileSave, &id.0, error.to_string())),
        }
    }

    fn path(&self, id: &ProfileId) -> Option<PathBuf> {
        id::is_valid(&id.0).then(|| self.folder.join(format!("{}.toml", id.0)))
    }

    /// The files that should be profiles; a folder that cannot be read is broken as a whole.
    fn files(&self, broken: &mut Vec<BrokenProfile>) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut paths: Vec<PathBuf> = match entries {
            Ok(entries) => {
                entries.into_iter().map(|entry| entry.path()).filter(|path| is_ours(path)).collect()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => vec![],
            Err(error) => {
                let failure = unreadable(&self.folder, error.to_string());
                broken.push(BrokenProfile { file: self.folder.display().to_string(), failure });
                vec![]
            }
        };
        paths.sort();
        paths
    }

    fn save_new(&self, profile: &Profile) -> io::Result<ProfileId> {
        let text = file::write("", profile).map_err(invalid)?;
        for id in id::candidates(&profile.name).filter(|id| id != BUILT_IN) {
            match disk::create(&self.folder.join(format!("{id}.toml")), &text) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(ProfileId(id)),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

fn save_over(path: &Path, profile: &Profile) -> io::Result<()> {
    let old = match fs::symlink_metadata(path) {
        Ok(_) => disk::read(path).map_err(|error| invalid(error.to_string()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if !old.is_empty() {
        file::read(&old, ProfileId::default()).map_err(invalid)?;
    }
    let profile = if profile.id.0 == BUILT_IN { &built_in(profile.clone()) } else { profile };
    disk::replace(path, &file::write(&old, profile).map_err(invalid)?)
}

fn load(path: &Path) -> Result<Profile, Failure> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    if !id::is_valid(stem) {
        let message =
            "a profile's file name has only small letters (a to z), digits and dashes, and ends in .toml";
        return Err(unreadable(path, message.into()));
    }
    let text = disk::read(path).map_err(|error| unreadable(path, error.to_string()))?;
    let profile =
        file::read(&text, ProfileId(stem.into())).map_err(|error| unreadable(path, error.to_string()))?;
    Ok(if stem == BUILT_IN { built_in(profile) } else { profile })
}

/// Whatever its file says, it is this computer.
fn built_in(profile: Profile) -> Profile {
    let (id, name) = (ProfileId(BUILT_IN.into()), BUILT_IN_NAME.into());
    Profile { id, name, server: String::new(), ssh_command: String::new(), built_in: true, ..profile }
}

/// Not an editor's back-up or a half-written file.
fn is_ours(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension() == Some(OsStr::new("toml"))
}

fn unreadable(path: &Path, detail: String) -> Failure {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Failure::new(Code::ProfileFile, name, detail)
}

fn missing(id: &ProfileId) -> Failure {
    Failure::new(Code::ProfileMissing, &id.0, "")
}

fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
