//! `ropeway hostwatch`: the names of computers near a server, line by line.

use std::{
    collections::HashSet,
    io::{self, Write},
    process::ExitCode,
};

use ropeway_engine::{Setup, api::Failure, hosts::alone};
use tokio::sync::Notify;

use crate::{
    args::Hostwatch,
    run::{Requests, until_told},
    say::internal,
};

/// Runs until told to end, or until the login ends.
pub fn run(task: Hostwatch) -> ExitCode {
    until_told(watch(task))
}

async fn watch(task: Hostwatch) -> Result<(), Failure> {
    let setup = Setup::of_user().map_err(internal)?;
    let mut requests = Requests::new().map_err(internal)?;
    let (profile, unread) = (task.profile(), Notify::new());
    let mut told = HashSet::new();
    // the agent tells again what it sees again
    let tell = |name: &str, address| {
        let news = told.insert((name.to_owned(), address));
        // nobody reads any more: `ropeway hostwatch | head`
        if news && writeln!(io::stdout(), "{name},{address}").is_err() {
            unread.notify_one();
        }
    };
    tokio::select! {
        failure = alone::search(&setup, &profile, tell) => Err(failure),
        () = unread.notified() => Ok(()),
        () = requests.next() => Ok(()),
    }
}
