//! What end-to-end tests need besides the network: the built programs, `ropeway run` as a value, curl with its
//! result, and waiting for something to become true. None of it sleeps and hopes.

mod curl;
mod ropeway;

use std::{
    env,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

pub use curl::{Fetched, Transferred};
pub use ropeway::Ropeway;

use crate::{Lab, needs};

/// How often a condition is looked at: often enough not to blur what is measured, seldom enough not to disturb it.
const LOOK: Duration = Duration::from_millis(10);

/// Whether the condition becomes true within the time.
pub fn wait_until(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK);
    }
}

/// A lab for a test, or nothing, with a line that says so, where this process may not make one.
pub fn lab_or_skip(test: &str) -> Option<Lab> {
    if !needs::is_root() {
        eprintln!("SKIPPED {test}: the lab is made of network namespaces, and only root may make those.");
        return None;
    }
    Some(Lab::for_test(test).unwrap_or_else(|error| panic!("no lab for {test}: {error:#}")))
}

/// A program of this workspace, from the same build as the running one.
pub fn bin(name: &str) -> Result<PathBuf> {
    let file = folder_of_programs()?.join(name);
    ensure!(file.is_file(), "{} is not built: run `cargo build --workspace` first", file.display());
    Ok(file)
}

/// Where the programs of this build are.
pub fn folder_of_programs() -> Result<PathBuf> {
    let exe = env::current_exe()?;
    let folder = exe.parent().context("no folder")?;
    // tests and their dependencies are in `deps/`, programs above it
    Ok(if folder.ends_with("deps") { folder.parent().context("no folder")? } else { folder }.to_path_buf())
}
