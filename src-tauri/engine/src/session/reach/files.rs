//! Networks that stand in a file, one on each line: `10.0.0.0/8  # the lab`.

use std::{collections::BTreeSet, env, fs, io, path::PathBuf, time::SystemTime};

use crate::subnet::{self, Named, Subnet};

/// A file of this many bytes has a hundred thousand networks, which is more than may go through.
const LARGEST: u64 = 8 << 20;

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub subnets: BTreeSet<Subnet>,
    pub names: Vec<Named>,
    /// Lines that cannot be understood, with what is wrong; the others count.
    pub problems: Vec<String>,
}

/// One file, and when it was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    read_at: Option<(SystemTime, u64)>,
}

impl File {
    pub fn new(path: &str) -> Self {
        let home = path.strip_prefix("~/").zip(env::home_dir()).map(|(rest, home)| home.join(rest));
        Self { path: home.unwrap_or_else(|| path.into()), read_at: None }
    }

    /// None while it is as it was, or cannot be read: what it said last counts then.
    pub fn news(&mut self) -> Option<Content> {
        let data = fs::metadata(&self.path).ok().filter(|data| data.is_file() && data.len() <= LARGEST);
        let now = data.and_then(|data| Some((data.modified().ok()?, data.len())));
        if now.is_none() || now == self.read_at {
            return None;
        }
        match fs::read_to_string(&self.path) {
            Ok(text) => {
                self.read_at = now;
                Some(read(&text))
            }
            Err(error) => {
                warn(&self.path, &error);
                None
            }
        }
    }
}

fn warn(path: &std::path::Path, error: &io::Error) {
    tracing::warn!(path = %path.display(), %error, "a file of networks cannot be read");
}

fn read(text: &str) -> Content {
    let mut content = Content::default();
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.split('#').next().unwrap_or_default();
        for word in entry.split_whitespace() {
            match subnet::parse_entry(word) {
                Ok(subnet::Entry::Net(subnet)) => drop(content.subnets.insert(subnet)),
                Ok(subnet::Entry::Name(named)) => content.names.push(named),
                Ok(subnet::Entry::File(_)) => {
                    content.problems.push(format!("line {number}: a file in a file is not read"));
                }
                Err(mistake) => content.problems.push(format!("line {number}: {word}: {mistake}")),
            }
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_entries_and_what_is_wrong_is_told() {
        let content = read("# mine\n10/8   # lab\n\n192.0.2.0/24 db.corp:5432\n10.0.0.300\n@/etc/other\n");
        let shown: Vec<String> = content.subnets.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "192.0.2.0/24"]);
        assert_eq!(content.names.len(), 1);
        assert_eq!(content.problems.len(), 2, "{:?}", content.problems);
        assert!(content.problems[0].starts_with("line 5: 10.0.0.300"));
    }

    #[test]
    fn a_file_is_read_again_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nets");
        let mut file = File::new(path.to_str().unwrap());
        assert_eq!(file.news(), None, "it is not there yet");
        fs::write(&path, "10/8\n").unwrap();
        assert_eq!(file.news().unwrap().subnets.len(), 1);
        assert_eq!(file.news(), None);
        fs::write(&path, "10/8\n192.0.2.1\n").unwrap();
        assert_eq!(file.news().unwrap().subnets.len(), 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(file.news(), None, "what it said last counts");
    }
}
