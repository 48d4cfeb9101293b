//! `ropeway`: the engine in the foreground, with words instead of a window.

mod args;
mod ask;
mod helper;
mod hostwatch;
mod run;
mod say;
mod service;
mod syslog;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Run, Task};

fn main() -> ExitCode {
    ropeway_engine::guard::run_if_asked();
    let Args { verbose, task } = Args::parse_from(args::with_task(std::env::args_os().collect()));
    if !matches!(task, Task::Run(_)) {
        log(verbose, false);
    }
    match task {
        Task::Run(run) => in_its_way(*run, verbose),
        Task::Explain { what } => ask::explain(&what),
        Task::Status { json } => ask::status(json),
        Task::Helper { task } => helper::run(task),
        Task::RestoreNetwork(task) => helper::restore(task),
        Task::Hostwatch(task) => hostwatch::run(task),
    }
}

/// Perhaps in the background, and then from the beginning.
fn in_its_way(run: Run, verbose: u8) -> ExitCode {
    match service::begin(&run.service) {
        Ok(service) => {
            log(verbose, run.service.syslog);
            run::run(run, service, verbose > 0)
        }
        Err(code) => code,
    }
}

/// Warnings by default, more with each `-v`; `RUST_LOG` decides where it is set.
fn log(verbose: u8, syslog: bool) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| format!("ropeway={level}").into());
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // it would be told on stderr that stderr is closed, and panic
        .log_internal_errors(false);
    if syslog {
        format.without_time().with_ansi(false).with_writer(syslog::Writer::default).init();
    } else {
        format.with_writer(std::io::stderr).init();
    }
}
