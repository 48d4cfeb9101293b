//! `ropeway hostwatch`: the names of computers near a server, line by line.

use std::{collections::HashSet, io, process::ExitCode};

use ropeway_engine::{Setup, api::Failure, hosts::alone};

use crate::{
    args::Hostwatch,
    run::{Requests, until_told},
    say::{internal, print},
};

/// Runs until told to end, or until the login ends.
pub fn run(task: Hostwatch) -> ExitCode {
    until_told(watch(task))
}

async fn watch(task: Hostwatch) -> Result<(), Failure> {
    let setup = Setup::of_user().map_err(internal)?;
    let mut requests = Requests::new().map_err(internal)?;
    let profile = task.profile();
    let mut told = HashSet::new();
    // the agent tells again what it sees again
    let tell = |name: &str, address| {
        if told.insert((name.to_owned(), address)) {
            print(io::stdout(), &format!("{name},{address}"));
        }
    };
    tokio::select! {
        failure = alone::search(&setup, &profile, tell) => Err(failure),
        () = requests.next() => Ok(()),
    }
}
