//! `ropeway-bench PAGE`: measures and writes the page. Called by `make bench`.

use std::{env, fs, process::ExitCode};

use anyhow::{Context, Result};
use ropeway_lab::bench::{measure, report};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ropeway-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let path = env::args().nth(1).context("usage: ropeway-bench PAGE")?;
    let page = report::page(&measure::all()?);
    print!("{page}");
    fs::write(&path, page).with_context(|| path.clone())
}
