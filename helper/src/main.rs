//! The process: arguments, log, sandbox, and one of the two ways to get connections.

mod settings;
mod signals;

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    process::{self, ExitCode},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use ropeway_helper::{
    grants::Grants,
    hosts::HostsFile,
    install::{self, InstallError, Options},
    platform::{self, Kernel, StartError},
    rules::Rules,
    server::Server,
    state::State,
    store::Store,
    undo, watch,
};
use tracing_subscriber::filter::LevelFilter;

use self::settings::Settings;

const HELP: &str = "\
The privileged part of Ropeway. The system starts it; there is nothing to do by hand.

  --bus      serve on the system bus, and end when nobody needs it
  (nothing)  serve one connection, a Unix stream socket on standard input
  --undo     undo what a helper that died left behind
  --install [--grant own|all --for UID]
             make it a service of this system, and let that user use it
  --remove   remove it and all that belongs to it
  --version  print the version
  --help     print this

Whatever a client installed is undone when its connection ends.";

/// Wrong arguments, no socket, no privilege: nothing was begun.
const CANNOT_START: u8 = 2;

/// To undo what all clients installed takes milliseconds; who asked us to end becomes impatient.
const UNDO_TIME: Duration = Duration::from_secs(10);

pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    // what is not UTF-8 means as little here as an empty word
    match &arguments.iter().map(|a| a.to_str().unwrap_or_default()).collect::<Vec<_>>()[..] {
        [] => run(serve_standard_input),
        ["--bus"] => run(serve_bus),
        ["--undo"] => run(undo),
        ["--install", options @ ..] => report(Options::parse(options).and_then(install::install)),
        ["--remove"] => report(install::remove()),
        ["--version"] => say(concat!("ropeway-helper ", env!("CARGO_PKG_VERSION"))),
        ["--help"] => say(HELP),
        _ => refuse("does not take these arguments, see --help"),
    }
}

fn run(serve: fn(&Settings) -> anyhow::Result<()>) -> ExitCode {
    log_to_stderr();
    end_by_panic();
    platform::raise_file_limit();
    let served = platform::enter_sandbox().context("sandbox").and_then(|()| serve(&Settings::of_process()));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<StartError>() => refuse(&error.to_string()),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Not in the sandbox: these write where the system keeps its services.
fn report(result: Result<(), InstallError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

fn serve_standard_input(settings: &Settings) -> anyhow::Result<()> {
    platform::check_privilege()?;
    let (connection, uid) = platform::connection()?;
    let term = signals::install()?;
    let server = Arc::new(server(settings));
    let ended = Arc::clone(&server);
    term.then(move || ended.end_all())?;
    watch::start(&server)?;
    Ok(server.serve(connection, uid)?)
}

fn serve_bus(settings: &Settings) -> anyhow::Result<()> {
    platform::check_privilege()?;
    platform::close_inherited();
    let term = signals::install()?;
    let server = Arc::new(server(settings));
    let ended = Arc::clone(&server);
    term.then(move || {
        ended.end_all();
        let undone = ended.wait_until_nobody(UNDO_TIME);
        process::exit(i32::from(!undone)); // what is left is in the kernel's hands, and in the journal
    })?;
    watch::start(&server)?;
    let served = platform::serve_bus(&server, settings.idle);
    while !server.wait_until_nobody(UNDO_TIME) {} // without a bus nobody comes, but who is here may stay
    Ok(served?)
}

fn undo(settings: &Settings) -> anyhow::Result<()> {
    Ok(undo::run(&Store::new(&settings.state))?)
}

fn server(settings: &Settings) -> Server<Kernel> {
    let store = Store::new(&settings.state);
    if let Err(error) = undo::run(&store) {
        tracing::error!(%error, "what an earlier helper left behind");
    }
    let hosts = HostsFile::new(&settings.hosts, store.clone());
    let rules = Rules::new(Kernel::default(), store.clone());
    Server::new(State::new(rules, hosts, Grants::new(store)))
}

/// Nobody knows what state a panic leaves behind, but the end of the process is well defined: the kernel removes the
/// rules, the clients see the end of their connections, the next start replays the journal.
fn end_by_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        process::abort();
    }));
}

/// Under systemd stderr is the journal. `RUST_LOG` is a level and no more: a filter by module would bring a regular
/// expression engine into the one program that has root.
fn log_to_stderr() {
    let level = env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let level = level.unwrap_or(LevelFilter::WARN);
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(false).init();
}

fn say(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}"); // nobody may be listening
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "ropeway-helper: {why}");
    ExitCode::from(CANNOT_START)
}
