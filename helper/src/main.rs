//! The process: arguments, log, one connection on standard input, exit code.

mod signals;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use ropeway_helper::{
    platform::{self, Kernel},
    server::Server,
    store::{self, Store},
};
use tracing_subscriber::EnvFilter;

const HELP: &str = "\
The privileged part of Ropeway. The app starts it; there is nothing to do by hand.

It serves one connection, a Unix stream socket on standard input, and undoes
everything when that ends.

  --version  print the version
  --help     print this";

/// Wrong arguments, no socket, no privilege: nothing was begun.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(|a| a.to_str()).collect::<Vec<_>>()[..] {
        [] => serve(),
        [Some("--version")] => say(concat!("ropeway-helper ", env!("CARGO_PKG_VERSION"))),
        [Some("--help")] => say(HELP),
        _ => refuse("takes no arguments but --version or --help"),
    }
}

fn serve() -> ExitCode {
    let (connection, uid) = match platform::start() {
        Ok(start) => start,
        Err(error) => return refuse(&error.to_string()),
    };
    log_to_stderr();
    let served = signals::install(&connection).context("signals").and_then(|()| {
        tracing::info!(uid, "serving");
        Server::new(Kernel::default(), Store::new(store::FOLDER)).serve(&connection, uid).context("undo")
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Under systemd stderr is the journal.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
}

fn say(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}"); // nobody may be listening
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "ropeway-helper: {why}");
    ExitCode::from(CANNOT_START)
}
