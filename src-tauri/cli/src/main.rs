//! `ropeway`: the engine in the foreground, with words instead of a window.

mod args;
mod helper;
mod hostwatch;
mod run;
mod say;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Task};

fn main() -> ExitCode {
    ropeway_engine::guard::run_if_asked();
    let args = Args::parse();
    log(args.verbose);
    match args.task {
        Task::Run(run) => run::run(run),
        Task::Helper { task } => helper::run(task),
        Task::RestoreNetwork(task) => helper::restore(task),
        Task::Hostwatch(task) => hostwatch::run(task),
    }
}

/// Warnings by default, more with each `-v`; `RUST_LOG` decides where it is set.
fn log(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| format!("ropeway={level}").into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // it would be told on stderr that stderr is closed, and panic
        .log_internal_errors(false)
        .init();
}
