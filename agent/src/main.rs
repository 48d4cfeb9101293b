//! `ropeway-agent` runs on the server as the user's account and opens the real connections.
//!
//! Stdin and stdout are the two directions of one mux pipe; stderr is for one line that says why it ended.
//! One thread, one poll, no timer while nothing happens. Names are never resolved with libc: a static glibc that asks
//! NSS crashes on other distributions. Questions to name servers are passed on ([`names`]), datagrams too ([`flows`]), and names are asked for whoever wants to
//! know which computers are near ([`hostwatch`]; what it remembers is written by a thread that ends with that). Start reading at
//! [`agent::Agent::run`].

mod agent;
mod clock;
mod errands;
mod fatal;
mod flows;
mod hosts_file;
mod hostwatch;
mod limits;
mod names;
mod pipe;
mod processor;
mod readiness;
mod reason;
mod routing;
mod target;
mod targets;
mod unsent;

use std::io::Write;
use std::process::ExitCode;

use agent::Agent;

/// What the shell expects after wrong arguments.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => serve(),
        [only] if only == "--version" => print_version(),
        _ => complain("usage: ropeway-agent [--version]", USAGE_ERROR.into()),
    }
}

fn serve() -> ExitCode {
    limits::allow_many_files();
    match Agent::new().and_then(Agent::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => complain(&format!("ropeway-agent: {fatal}"), ExitCode::FAILURE),
    }
}

fn print_version() -> ExitCode {
    match writeln!(std::io::stdout(), "ropeway-agent {}", env!("CARGO_PKG_VERSION")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Not `eprintln!`: that panics when stderr is gone, and it goes together with the ssh session.
fn complain(line: &str, code: ExitCode) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{line}");
    code
}
