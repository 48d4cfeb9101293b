//! What was measured, as plain numbers under paths: `load/50M50ms/down/ropeway/p50`. Kept as JSON beside the build, so
//! that one part can be measured again and the page still has the others.

use std::{collections::BTreeMap, fs, io, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::stats;

/// What has not happened as long as somebody looked; JSON has no infinity.
pub const NEVER: f64 = 1e9;

/// Everything known.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// One value for each round.
    pub numbers: BTreeMap<String, Vec<f64>>,
    /// What could not be measured, and why.
    pub failures: BTreeMap<String, String>,
    /// Values over time: seconds, and whatever the path says.
    pub series: BTreeMap<String, Vec<(f64, f64)>>,
    /// When and of what each part was measured.
    pub runs: BTreeMap<String, Run>,
    /// Only paths with all of these words are measured.
    #[serde(skip)]
    pub only: Vec<String>,
}

/// One measurement of one part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Run {
    pub commit: String,
    pub quick: bool,
    pub seconds: f64,
    /// The share of the processors' time that was used meanwhile, 0 to 1.
    pub busy: f64,
}

impl Record {
    /// From the file, or empty when there is none.
    pub fn load(file: &Path) -> Result<Self> {
        match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            bytes => {
                serde_json::from_slice(&bytes?).with_context(|| format!("{} is no record", file.display()))
            }
        }
    }

    /// Into the file.
    pub fn save(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_vec_pretty(self)?).with_context(|| file.display().to_string())
    }

    /// Everything about one part that is wanted is to be measured again.
    pub fn forget(&mut self, part: &str) {
        let only = self.only.clone();
        let keep = |path: &String| path.split('/').next() != Some(part) || !matches(path, &only);
        self.numbers.retain(|path, _| keep(path));
        self.failures.retain(|path, _| keep(path));
        self.series.retain(|path, _| keep(path));
    }

    /// One more value; nothing that is not a number.
    pub fn add(&mut self, path: impl Into<String>, value: f64) {
        if !value.is_nan() {
            self.numbers.entry(path.into()).or_default().push(value.min(NEVER));
        }
    }

    /// The error is told and kept, and the run goes on: one peer that hangs spoils only its own rows.
    pub fn attempt(&mut self, path: &str, work: impl FnOnce(&mut Self) -> Result<()>) {
        if !matches(path, &self.only) {
            return;
        }
        if let Err(error) = work(self) {
            println!("  {path}: FAILED: {error:#}");
            self.failures.insert(path.to_owned(), format!("{error:#}"));
        }
    }

    /// The median of the rounds.
    pub fn median(&self, path: &str) -> Option<f64> {
        Some(stats::median(self.numbers.get(path)?)).filter(|value| value.is_finite())
    }

    /// The median of one over that of the other.
    pub fn ratio(&self, path: &str, base: &str) -> Option<f64> {
        Some(self.median(path)? / self.median(base)?).filter(|value| value.is_finite())
    }
}

fn matches(path: &str, words: &[String]) -> bool {
    words.iter().all(|word| path.split('/').any(|part| part == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_again_is_forgotten_and_nothing_else() {
        let mut record = Record::default();
        for path in
            ["load/50M50ms/down/ropeway/p50", "load/50M50ms/up/ropeway/p50", "bulk/ropeway/down/1/rate"]
        {
            record.add(path, 1.0);
        }
        record.only = vec!["down".into(), "ropeway".into()];
        record.forget("load");
        assert_eq!(record.median("load/50M50ms/down/ropeway/p50"), None);
        assert_eq!(record.numbers.len(), 2);
        let mut done = Vec::new();
        for path in ["load/50M50ms/down/ropeway", "load/50M50ms/up/ropeway", "load/2M50ms/down/ropeway"] {
            record.attempt(path, |_| {
                done.push(path);
                Ok(())
            });
        }
        assert_eq!(done, ["load/50M50ms/down/ropeway", "load/2M50ms/down/ropeway"]);
    }

    #[test]
    fn what_fails_is_kept_with_its_reason() {
        let mut record = Record::default();
        record.attempt("start/sshuttle", |_| anyhow::bail!("it hangs"));
        assert_eq!(record.failures["start/sshuttle"], "it hangs");
    }
}
