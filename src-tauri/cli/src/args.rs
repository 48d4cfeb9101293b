//! The command line.

use clap::{ArgAction, Parser, Subcommand};
use ropeway_engine::api::Profile;

use crate::helper::args::{HelperTask, RestoreNetwork};

/// A transparent VPN over ssh.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub struct Args {
    /// Say more; twice for even more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub task: Task,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Connect, and stay in the foreground until Ctrl-C
    Run(Run),
    /// The part of Ropeway that changes network rules: set it up, see who may use it
    Helper {
        #[command(subcommand)]
        task: HelperTask,
    },
    /// Open what crashed tunnels left closed
    RestoreNetwork(RestoreNetwork),
}

#[derive(Debug, clap::Args)]
pub struct Run {
    /// The server, as ssh knows it; without it, the agent works on this computer
    #[arg(short, long, value_name = "[USER@]HOST[:PORT]")]
    pub remote: Option<String>,
    /// Instead of `ssh`: a program and its options, as in a shell (but run without one)
    #[arg(short = 'e', long, value_name = "COMMAND")]
    pub ssh_cmd: Option<String>,
    /// What does not go through; may be given more than once
    #[arg(short = 'x', long, value_name = "SUBNET")]
    pub exclude: Vec<String>,
    /// What goes through: 10/8, 192.168.1.0/24:443, 0/0 for all of IPv4
    #[arg(required = true, value_name = "SUBNET")]
    pub subnets: Vec<String>,
}

impl Run {
    /// The same thing as a profile that is not saved.
    pub fn profile(self) -> Profile {
        let server = self.remote.unwrap_or_default();
        Profile {
            name: if server.is_empty() { "This computer".to_owned() } else { server.clone() },
            server,
            ssh_command: self.ssh_cmd.unwrap_or_default(),
            subnets: self.subnets,
            excludes: self.exclude,
            ..Profile::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_of_sshuttles_shape_becomes_a_profile() {
        let args = Args::parse_from([
            "ropeway",
            "run",
            "-r",
            "dev@bastion:2222",
            "-e",
            "ssh -F x",
            "10/8",
            "-x",
            "10.1/16",
            "-x",
            "10.2/16",
        ]);
        let Task::Run(run) = args.task else { panic!("another task") };
        let profile = run.profile();
        assert_eq!((profile.server.as_str(), profile.ssh_command.as_str()), ("dev@bastion:2222", "ssh -F x"));
        assert_eq!((profile.subnets, profile.excludes.len()), (vec!["10/8".to_owned()], 2));
    }
}
