//! `ropeway explain` and `ropeway status`: asks the engines that run, also those of the window and of services.

use std::{io, process::ExitCode};

use ropeway_engine::{
    Engine, Setup,
    api::{Command, Explained, ExplainedAddress, Failure, Phase, Profile, Reply, Status},
    control,
};

use crate::say::{internal, print, tell};

/// Says it in words; where no engine runs, without tunnels.
pub fn explain(what: &str) -> ExitCode {
    run(async {
        let setup = Setup::of_user().map_err(internal)?;
        let command = Command::Explain { what: what.to_owned() };
        let mut answers = control::ask_all(&setup.runtime, &command).await;
        // the one whose tunnel takes it knows most
        answers.sort_by_key(|answer| std::cmp::Reverse(answer.as_ref().is_ok_and(takes)));
        let reply = match answers.into_iter().next() {
            Some(answer) => answer?,
            None => Engine::start(setup)?.command(command).await?,
        };
        if let Reply::Explained { explained } = reply {
            say(&explained);
        }
        Ok(())
    })
}

fn takes(reply: &Reply) -> bool {
    let Reply::Explained { explained } = reply else { return false };
    explained.addresses.iter().any(|address| address.profile.is_some() || !address.rule.is_empty())
}

fn say(explained: &Explained) {
    let line = |text: &str| print(io::stdout(), text);
    line(&format!("{}, port {}", explained.host, explained.port));
    if !explained.error.is_empty() {
        line(&format!("  this computer knows no address for it: {}", explained.error));
    }
    for server in &explained.on_servers {
        let addresses =
            if server.addresses.is_empty() { "no address".into() } else { server.addresses.join(", ") };
        line(&format!("  on the server of {}: {addresses}", server.profile));
    }
    for ExplainedAddress { address, profile, why, server, otherwise, .. } in &explained.addresses {
        match profile {
            Some(profile) => line(&format!("  {address} goes through {profile}: {why}")),
            None => line(&format!("  {address} goes its usual way, by {otherwise}: {why}")),
        }
        if let Some(server) = server {
            line(&format!("    the server {server}; without the tunnel it would leave by {otherwise}"));
        }
    }
    if explained.tunnels.is_empty() {
        line("  no tunnel is up");
    }
}

/// One line for each tunnel that is not off.
pub fn status(json: bool) -> ExitCode {
    run(async {
        let setup = Setup::of_user().map_err(internal)?;
        let mut all: Vec<(Profile, Status)> = vec![];
        for answer in control::ask_all(&setup.runtime, &Command::Status).await {
            if let Reply::Statuses { profiles, statuses } = answer? {
                let on = statuses.into_iter().filter(|status| status.phase != Phase::Off || status.blocking);
                all.extend(on.filter_map(|status| {
                    let profile = profiles.iter().find(|profile| profile.id == status.profile)?;
                    Some((profile.clone(), status))
                }));
            }
        }
        if json {
            let statuses: Vec<&Status> = all.iter().map(|(_, status)| status).collect();
            let text = serde_json::to_string_pretty(&statuses).map_err(internal)?;
            print(io::stdout(), &text);
        } else if all.is_empty() {
            print(io::stdout(), "No tunnel is up.");
        }
        for (profile, status) in all.iter().filter(|_| !json) {
            print(io::stdout(), &format!("{}: {}", profile.name, status.words));
        }
        Ok(())
    })
}

fn run(work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(internal)
        .and_then(|runtime| runtime.block_on(work));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}
