//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use ropeway_engine::{
    api::{self, Profile, WhileDown},
    latency,
    share::{self, Listen},
    subnet,
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
    Run(Box<Run>),
    /// Tell which tunnel takes a host, an address or a URL, and why
    Explain {
        /// `db.example.org`, `10.0.0.5:22`, `https://wiki.example.org/`
        #[arg(value_name = "HOST|IP|URL")]
        what: String,
    },
    /// Show the tunnels that run
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// The part of Ropeway that changes network rules: set it up, see who may use it
    Helper {
        #[command(subcommand)]
        task: HelperTask,
    },
    /// Open what crashed tunnels left closed
    RestoreNetwork(RestoreNetwork),
    /// Look for names of computers near a server, and print them as they are found: no tunnel, no root
    Hostwatch(Hostwatch),
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
    /// A file of what does not go through, one network on each line; read again when it changes
    #[arg(short = 'X', long, value_name = "FILE")]
    pub exclude_from: Vec<PathBuf>,
    /// A file of what goes through, one network on each line; read again when it changes
    #[arg(short, long = "subnets", value_name = "FILE")]
    pub subnets_from: Vec<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub names: Names,
    #[command(flatten)]
    pub service: Service,
    #[command(flatten)]
    pub whose: Whose,
    #[command(flatten)]
    pub latency: Latency,
    #[command(flatten)]
    pub hosts: Hosts,
    /// While the tunnel is down, also after a crash, reject what would go through it, or everything
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "networks")]
    pub fail_closed: Option<FailClosed>,
    /// What goes through: 10/8, 192.168.1.0/24:443, db.example.org, *.example.org, 0/0 for all of IPv4
    #[arg(value_name = "SUBNET", required_unless_present_any = ["auto_nets", "subnets_from", "dns", "to_ns", "ns_hosts", "domain"])]
    pub subnets: Vec<String>,
}

/// What goes through beside the networks that are named.
#[derive(Debug, clap::Args)]
pub struct Reach {
    /// Also the networks of the server's routing table
    #[arg(short = 'N', long)]
    pub auto_nets: bool,
    /// Also networks that this computer is in itself, which stay out otherwise
    #[arg(long)]
    pub local_networks: bool,
    /// Also UDP, and ping where the server allows it
    #[arg(long)]
    pub udp: bool,
    /// Take what comes in there as well: containers, vms, lan, or an interface; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub share: Vec<String>,
    /// sshuttle's word for it: all addresses (0.0.0.0, ::) mean --share lan --share containers
    #[arg(short, long, value_name = "[IP:]PORT[,[IP6]:PORT]")]
    pub listen: Option<Listen>,
}

/// How it runs where nobody looks.
#[derive(Debug, clap::Args)]
pub struct Service {
    /// Go into the background as soon as it is connected
    #[arg(short = 'D', long)]
    pub daemon: bool,
    /// Tell the system log what would be told here
    #[arg(long)]
    pub syslog: bool,
    /// Write the number of the process there, and remove the file at the end
    #[arg(long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,
    /// Taken and not needed: nothing of Python runs on the server
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<String>,
}

/// Who answers for names.
#[derive(Debug, clap::Args)]
pub struct Names {
    /// Questions to name servers are answered on the server
    #[arg(long)]
    pub dns: bool,
    /// Only questions about these domains and what is below them
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub domain: Vec<String>,
    /// Whom to ask on the server, instead of its own name servers
    #[arg(long, value_name = "IP[@PORT],...", value_delimiter = ',')]
    pub to_ns: Vec<String>,
    /// Only questions that programs send to these name servers
    #[arg(long, value_name = "IP,...", value_delimiter = ',')]
    pub ns_hosts: Vec<String>,
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

/// Names of computers near the server; they lead there while the tunnel is up.
#[derive(Debug, clap::Args)]
pub struct Hosts {
    /// Look for names of computers near the server, and put them into this computer's hosts file
    #[arg(short = 'H', long)]
    pub auto_hosts: bool,
    /// Look for these names, with or without --auto-hosts
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub seed_hosts: Vec<String>,
}

/// The search for names alone.
#[derive(Debug, clap::Args)]
pub struct Hostwatch {
    /// The server, as ssh knows it; without it, the agent looks around this computer
    #[arg(short, long, value_name = "[USER@]HOST[:PORT]")]
    pub remote: Option<String>,
    /// Instead of `ssh`: a program and its options, as in a shell (but run without one)
    #[arg(short = 'e', long, value_name = "COMMAND")]
    pub ssh_cmd: Option<String>,
    /// Look for these names, too
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub seed_hosts: Vec<String>,
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

impl Names {
    /// As a profile has it.
    fn into_profile(self) -> api::Names {
        let Self { dns, domain, to_ns, ns_hosts } = self;
        api::Names { dns, domains: domain, name_servers: to_ns, ns_hosts, ..api::Names::default() }
    }
}

impl Reach {
    /// As a profile has it.
    fn into_profile(self) -> api::Reach {
        let Self { auto_nets, local_networks, udp, mut share, listen } = self;
        let meant = listen.map_or(&[][..], Listen::share).iter().map(ToString::to_string);
        share.extend(meant.filter(|name| !share.contains(name)).collect::<Vec<_>>());
        api::Reach { auto_nets, local_networks, udp, share }
    }

    /// What was typed and means nothing here.
    pub fn notice(&self) -> Option<&'static str> {
        self.listen.filter(|listen| listen.share().is_empty()).map(|_| share::NOTICE)
    }
}

/// As an entry of a list; a path on the command line may be relative, and one in a profile is not.
fn entries(list: Vec<String>, files: &[PathBuf]) -> Vec<String> {
    let files = files.iter().map(|file| {
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        format!("@{}", whole.display())
    });
    list.into_iter().chain(files).collect()
}

/// sshuttle's command line has no word for what is to be done: what begins like one of its own means `run`.
pub fn with_task(mut words: Vec<OsString>) -> Vec<OsString> {
    const TASKS: [&str; 6] = ["run", "explain", "status", "helper", "restore-network", "hostwatch"];
    const ALONE: [&str; 4] = ["-h", "--help", "-V", "--version"];
    let texts: Vec<&str> = words.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let like_sshuttle =
        texts.first().is_some_and(|first| first.starts_with('-') || subnet::parse(first).is_ok());
    if like_sshuttle && !texts.iter().any(|text| TASKS.contains(text) || ALONE.contains(text)) {
        words.insert(1, "run".into());
    }
    words
}

impl Run {
    /// The same thing as a profile that is not saved.
    pub fn profile(self) -> Profile {
        let server = self.remote.unwrap_or_default();
        Profile {
            name: if server.is_empty() { "This computer".to_owned() } else { server.clone() },
            server,
            ssh_command: self.ssh_cmd.unwrap_or_default(),
            subnets: entries(self.subnets, &self.subnets_from),
            excludes: entries(self.exclude, &self.exclude_from),
            names: self.hosts.beside(self.names.into_profile()),
            reach: self.reach.into_profile(),
            capture: self.whose.capture(),
            while_down: match self.fail_closed {
                None => WhileDown::Open,
                Some(FailClosed::Networks) => WhileDown::Networks,
                Some(FailClosed::Everything) => WhileDown::Everything,
            },
            latency: self.latency.text(),
            ..Profile::default()
        }
    }
}

impl Hosts {
    /// As a profile has them, beside what else it wants of names.
    fn beside(self, names: api::Names) -> api::Names {
        api::Names { auto_hosts: self.auto_hosts, seed_hosts: self.seed_hosts, ..names }
    }
}

impl Hostwatch {
    /// A profile that says whom to ask and for what.
    pub fn profile(self) -> Profile {
        let hosts = Hosts { auto_hosts: true, seed_hosts: self.seed_hosts };
        let server = self.remote.unwrap_or_default();
        Profile {
            name: if server.is_empty() { "This computer".to_owned() } else { server.clone() },
            server,
            ssh_command: self.ssh_cmd.unwrap_or_default(),
            names: hosts.beside(api::Names::default()),
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
    fn names_are_looked_for_when_that_is_wanted() {
        for (options, auto, seeds) in [
            (&[][..], false, &[][..]),
            (&["-H"], true, &[]),
            (&["--auto-hosts", "--seed-hosts", "db,web"], true, &["db", "web"]),
            (&["--seed-hosts=db", "--seed-hosts=web"], false, &["db", "web"]),
        ] {
            let names = profile(options).unwrap().names;
            assert_eq!(
                (names.auto_hosts, names.seed_hosts),
                (auto, seeds.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn sshuttles_command_line_is_taken_as_it_is() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let run = |line: &str| match Args::try_parse_from(with_task(words(line))).map(|args| args.task) {
            Ok(Task::Run(run)) => run.profile(),
            other => panic!("{line}: {other:?}"),
        };
        let profile = run("ropeway -vNr me@host:22 --dns --python python3 -x 10.1/16 -D 10/8 0/0");
        assert_eq!((profile.server.as_str(), profile.subnets.len()), ("me@host:22", 2));
        assert!(profile.reach.auto_nets && profile.names.dns);
        assert_eq!(run("ropeway 0/0 -rhost").server, "host");
        assert_eq!(run("ropeway -v run -r host 0/0").server, "host");
        assert_eq!(run("ropeway -Nrhost").subnets.len(), 0, "the server's networks are enough");
        for line in ["ropeway --version", "ropeway statsu", "ropeway -r host"] {
            assert!(Args::try_parse_from(with_task(words(line))).is_err(), "{line}");
        }
    }

    #[test]
    fn files_and_lists_become_entries() {
        let profile =
            profile(&["-s", "/etc/nets", "-X", "x", "--to-ns", "10.0.0.1,10.0.0.2@54", "--domain=a,b"])
                .unwrap();
        assert_eq!(profile.subnets, ["10/8", "@/etc/nets"]);
        assert!(profile.excludes[0].starts_with("@/") && profile.excludes[0].ends_with("/x"));
        assert_eq!((profile.names.name_servers.len(), profile.names.domains.len()), (2, 2));
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
    fn others_are_let_in_by_name_or_by_sshuttles_word() {
        for (options, share) in [
            (&[][..], &[][..]),
            (&["--share", "docker0", "--share", "lan"], &["docker0", "lan"]),
            (&["-l", "0.0.0.0:0"], &["lan", "containers"]),
            (&["--share", "lan", "--listen=[::]:12300"], &["lan", "containers"]),
            (&["-l", "127.0.0.1:12300"], &[]),
        ] {
            assert_eq!(profile(options).unwrap().reach.share, share, "{options:?}");
        }
        assert!(profile(&["-l", "nowhere:x"]).unwrap_err().to_string().contains("for example 0.0.0.0:0"));
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
