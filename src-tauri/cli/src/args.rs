//! The command line.

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use ropeway_engine::{
    api::{Profile, Reach, WhileDown},
    latency,
};

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
    /// Also UDP, and ping where the server allows it
    #[arg(long)]
    pub udp: bool,
    #[command(flatten)]
    pub whose: Whose,
    #[command(flatten)]
    pub latency: Latency,
    /// While the tunnel is down, also after a crash, reject what would go through it, or everything
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "networks")]
    pub fail_closed: Option<FailClosed>,
    /// What goes through: 10/8, 192.168.1.0/24:443, 0/0 for all of IPv4
    #[arg(required = true, value_name = "SUBNET")]
    pub subnets: Vec<String>,
}

/// Whose traffic; your own programs' when nothing is said, everyone's for root.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Whose {
    /// Take only this user's traffic
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Take only traffic of programs that run with this group
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Take only traffic of programs in this cgroup
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,
    /// Take everyone's traffic
    #[arg(long)]
    pub everyone: bool,
}

/// How much is under way at once; by itself as much as the link needs to be full, and hardly more.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Latency {
    /// At most so many bytes are under way (sshuttle takes 32768); without it, Ropeway follows the link by itself
    #[arg(long, value_name = "BYTES", value_parser = buffer_size)]
    pub latency_buffer_size: Option<u32>,
    /// No limit but ssh's own: everything waits behind the biggest transfer
    #[arg(long)]
    pub no_latency_control: bool,
}

/// What is rejected while the tunnel is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailClosed {
    Networks,
    Everything,
}

impl Whose {
    /// As a profile has it.
    fn capture(self) -> String {
        let named = [("user", self.user), ("group", self.group), ("cgroup", self.cgroup)];
        let named = named.into_iter().find_map(|(kind, name)| Some(format!("{kind}:{}", name?)));
        named.unwrap_or_else(|| if self.everyone { "everyone".into() } else { String::new() })
    }
}

impl Latency {
    /// As a profile has it.
    fn text(&self) -> String {
        let bytes = self.latency_buffer_size.map(|bytes| bytes.to_string());
        bytes.unwrap_or_else(
            || if self.no_latency_control { latency::UNLIMITED.into() } else { String::new() },
        )
    }
}

fn buffer_size(text: &str) -> Result<u32, String> {
    let bytes: u64 = text.parse().map_err(|_| "it takes a number of bytes, for example 32768".to_owned())?;
    let (least, most) = (latency::BYTES.start(), latency::BYTES.end());
    u32::try_from(bytes).ok().filter(|bytes| latency::BYTES.contains(bytes)).ok_or_else(|| {
        format!("from {least} to {most} bytes; for more, which ssh itself does not let through, use --no-latency-control")
    })
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
            capture: self.whose.capture(),
            while_down: match self.fail_closed {
                None => WhileDown::Open,
                Some(FailClosed::Networks) => WhileDown::Networks,
                Some(FailClosed::Everything) => WhileDown::Everything,
            },
            latency: self.latency.text(),
            reach: Reach { udp: self.udp, ..Reach::default() },
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

    fn profile(options: &[&str]) -> Result<Profile, clap::Error> {
        let args = Args::try_parse_from([&["ropeway", "run"], options, &["10/8"]].concat())?;
        let Task::Run(run) = args.task else { panic!("another task") };
        Ok(run.profile())
    }

    #[test]
    fn whose_traffic_is_one_of_four() {
        for (options, capture) in [
            (&[][..], ""),
            (&["--everyone"], "everyone"),
            (&["--user", "ann"], "user:ann"),
            (&["--group", "staff"], "group:staff"),
            (&["--cgroup", "/user.slice"], "cgroup:/user.slice"),
        ] {
            assert_eq!(profile(options).unwrap().capture, capture);
        }
        assert!(profile(&["--user", "ann", "--everyone"]).is_err());
    }

    #[test]
    fn latency_is_a_number_or_no_limit_and_never_both() {
        for (options, text) in [
            (&[][..], ""),
            (&["--no-latency-control"], "unlimited"),
            (&["--latency-buffer-size", "65536"], "65536"),
            (&["--latency-buffer-size=4096"], "4096"),
        ] {
            assert_eq!(profile(options).unwrap().latency, text);
        }
        let refused = |options: &[&str]| profile(options).unwrap_err().to_string();
        for (size, words) in [
            ("32k", "a number of bytes"),
            ("-1", "a number of bytes"),
            ("4095", "from 4096 to 1966080 bytes"),
            ("2097152", "use --no-latency-control"),
            ("99999999999", "use --no-latency-control"),
        ] {
            let told = refused(&[&format!("--latency-buffer-size={size}")]);
            assert!(told.contains(words) && told.contains("--latency-buffer-size <BYTES>"), "{told}");
        }
        let both = refused(&["--no-latency-control", "--latency-buffer-size", "4096"]);
        assert!(both.contains("cannot be used with"), "{both}");
    }

    #[test]
    fn udp_is_carried_when_somebody_says_so() {
        assert!(!profile(&[]).unwrap().reach.udp && profile(&["--udp"]).unwrap().reach.udp);
    }

    #[test]
    fn fail_closed_alone_means_the_networks() {
        for (options, while_down) in [
            (&[][..], WhileDown::Open),
            (&["--fail-closed"], WhileDown::Networks),
            (&["--fail-closed=networks"], WhileDown::Networks),
            (&["--fail-closed=everything"], WhileDown::Everything),
        ] {
            assert_eq!(profile(options).unwrap().while_down, while_down);
        }
        assert!(profile(&["--fail-closed=10/8"]).is_err());
    }
}
