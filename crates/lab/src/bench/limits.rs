//! How many files processes of the bench may have open.

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What programs get from the desktops of today when they ask for nothing.
const USUAL: u64 = 1_024;

/// What they may ask for: 10 000 connections of two descriptors each, three times over.
const ALLOWED: u64 = 65_536;

/// Gives this process, and so all that it starts, a desktop's limits, whatever those of the terminal are. In a
/// container even root may be kept below what a desktop allows; then that must do.
pub fn be_usual() -> Result<()> {
    if setrlimit(Resource::RLIMIT_NOFILE, USUAL, ALLOWED).is_ok() {
        return Ok(());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, USUAL, hard).context("cannot set the limit of open files")
}

/// As many as allowed.
pub fn raise() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
