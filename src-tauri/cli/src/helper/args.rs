//! What can be asked about the helper.

use clap::Subcommand;
use ropeway_engine::api::GrantScope;

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum HelperTask {
    /// Say whether it is set up, and what you may do with it
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Install it where it is missing, and ask an administrator to let you use it
    Setup {
        /// For the whole computer: everybody's traffic, names, containers; without it, your own programs' traffic
        #[arg(long)]
        all: bool,
    },
    /// List who may use it
    Grants {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Take that away from a user, or from yourself
    Revoke {
        /// A name or a number; without it, you
        #[arg(value_name = "USER")]
        user: Option<String>,
    },
    /// Remove it and all that belongs to it; tunnels that are up end
    Remove,
}

#[derive(Debug, PartialEq, Eq, clap::Args)]
pub struct RestoreNetwork {
    /// What other users' tunnels left closed as well; an administrator is asked
    #[arg(long)]
    pub everybody: bool,
}

/// What `--all` means.
pub fn scope(all: bool) -> GrantScope {
    if all { GrantScope::All } else { GrantScope::Own }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Task};

    fn parse(line: &str) -> Result<Task, clap::Error> {
        Args::try_parse_from(line.split(' ')).map(|args| args.task)
    }

    #[test]
    fn every_task_of_the_helper_is_a_command() {
        let revoke = |user: Option<&str>| HelperTask::Revoke { user: user.map(str::to_owned) };
        for (line, expected) in [
            ("ropeway helper status", HelperTask::Status { json: false }),
            ("ropeway helper status --json", HelperTask::Status { json: true }),
            ("ropeway helper setup", HelperTask::Setup { all: false }),
            ("ropeway helper setup --all", HelperTask::Setup { all: true }),
            ("ropeway helper grants --json", HelperTask::Grants { json: true }),
            ("ropeway helper revoke", revoke(None)),
            ("ropeway helper revoke alice", revoke(Some("alice"))),
            ("ropeway helper remove", HelperTask::Remove),
        ] {
            let Task::Helper { task } = parse(line).unwrap() else { panic!("{line}") };
            assert_eq!(task, expected, "{line}");
        }
        for wrong in ["ropeway helper", "ropeway helper setup own", "ropeway helper revoke alice bob"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn others_networks_are_restored_only_on_demand() {
        let everybody = |line| match parse(line).unwrap() {
            Task::RestoreNetwork(task) => task.everybody,
            other => panic!("{other:?}"),
        };
        assert!(!everybody("ropeway restore-network"));
        assert!(everybody("ropeway restore-network --everybody"));
    }
}
