//! `ropeway helper` and `ropeway restore-network`: works without a running app, and starts no tunnel.

pub mod args;
mod words;

use std::{io, process::ExitCode};

use ropeway_engine::{
    Engine, Setup,
    api::{Code, Command, Failure, GrantRow, HelperSetup, HelperState, Reply},
};

use self::args::{HelperTask, RestoreNetwork};
use crate::say::{internal, print, tell};

pub fn run(task: HelperTask) -> ExitCode {
    with_engine(async |engine| match task {
        HelperTask::Status { json } => {
            let state = state(engine).await?;
            Ok(if json { in_json(&state) } else { words::status(&state) })
        }
        HelperTask::Grants { json } => {
            let grants = grants(engine).await?;
            Ok(if json { in_json(&grants) } else { words::grants(&grants) })
        }
        HelperTask::Setup { all } => set_up(engine, all).await,
        HelperTask::Revoke { user } => revoke(engine, user).await,
        HelperTask::Remove => {
            engine.command(Command::RemoveHelper).await?;
            Ok("Removed: nothing of the set-up is left on this computer.".to_owned())
        }
    })
}

pub fn restore(RestoreNetwork { everybody }: RestoreNetwork) -> ExitCode {
    with_engine(async |engine| match engine.command(Command::RestoreNetwork { everybody }).await? {
        Reply::Restored { count } => Ok(words::restored(count)),
        other => Err(internal(format!("{other:?}"))),
    })
}

async fn set_up(engine: &Engine, all: bool) -> Result<String, Failure> {
    let grant = args::scope(all);
    if matches!(state(engine).await?.setup, HelperSetup::Missing | HelperSetup::Old | HelperSetup::Own) {
        print(io::stdout(), words::BEFORE_SETUP);
    }
    engine.command(Command::SetUpHelper { grant }).await?;
    // root needs no permission and has a wider one
    let granted = state(engine).await?.grant.unwrap_or(grant);
    Ok(format!("Done. You may send {} through tunnels.", words::scope(granted)))
}

async fn revoke(engine: &Engine, user: Option<String>) -> Result<String, Failure> {
    let grants = grants(engine).await?;
    let (uid, name) = match (meant(&grants, user.as_deref()), user) {
        (Some(row), _) => (row.uid, row.name.clone()),
        (None, None) => return Ok("You had no permission.".to_owned()),
        // only root sees others' permissions; an administrator may take them away all the same
        (None, Some(user)) => match user.parse() {
            Ok(uid) => (uid, user),
            Err(_) => return Err(unseen(&user)),
        },
    };
    engine.command(Command::RevokeGrant { uid }).await?;
    Ok(format!("Taken away from {name}."))
}

fn unseen(user: &str) -> Failure {
    let detail =
        format!("you cannot see whether {user} has a permission: name the user by number (id -u {user})");
    Failure::new(Code::NotGranted, "this computer", detail)
}

async fn grants(engine: &Engine) -> Result<Vec<GrantRow>, Failure> {
    let state = state(engine).await?;
    if state.version.is_none() && matches!(state.setup, HelperSetup::Installed | HelperSetup::Packaged) {
        return Err(Failure::new(Code::HelperMissing, "this computer", "it does not answer"));
    }
    Ok(state.grants)
}

/// A name, a number, or the user who asks.
fn meant<'a>(grants: &'a [GrantRow], user: Option<&str>) -> Option<&'a GrantRow> {
    grants.iter().find(|row| match user {
        Some(user) => row.name == user || row.uid.to_string() == user,
        None => row.me,
    })
}

async fn state(engine: &Engine) -> Result<HelperState, Failure> {
    match engine.command(Command::Helper).await? {
        Reply::Helper { helper } => Ok(helper),
        other => Err(internal(format!("{other:?}"))),
    }
}

/// Prints what came of it. Ctrl-C takes a question back.
fn with_engine(work: impl AsyncFnOnce(&Engine) -> Result<String, Failure>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            print(io::stderr(), &format!("ropeway: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        let engine = Engine::start(Setup::of_user().map_err(internal)?)?;
        let done = tokio::select! {
            done = work(&engine) => done.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        };
        engine.shutdown().await;
        done
    });
    runtime.shutdown_background();
    match done {
        Ok(Some(words)) => {
            print(io::stdout(), &words);
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::FAILURE,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

fn in_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ropeway_engine::api::GrantScope;

    use super::*;

    #[test]
    fn a_user_is_named_or_numbered_or_oneself() {
        let row = |uid, name: &str, me| GrantRow { uid, name: name.into(), grant: GrantScope::Own, me };
        let grants = [row(1000, "alice", false), row(1001, "bob", true)];
        let uid = |user| meant(&grants, user).map(|row| row.uid);
        assert_eq!([uid(Some("alice")), uid(Some("1000")), uid(None)], [Some(1000), Some(1000), Some(1001)]);
        assert_eq!(uid(Some("carol")), None);
        assert!(meant(&grants[..1], None).is_none());
    }
}
