//! The names of all servers on the way, as ssh's own configuration has them: aliases, `HostName`, `ProxyJump`.

use std::{collections::BTreeSet, path::Path, time::Duration};

use tokio::time::timeout;

use super::{cipher::configuration, command};
use crate::profile::Server;

/// ssh itself stops at so many (`ssh.c` refuses a chain that leads back to itself long before).
const HOPS: usize = 16;

/// How long ssh may take to say what its configuration is: it takes milliseconds, but a `Match exec` may do anything.
const ANSWER: Duration = Duration::from_secs(2);

/// Without addresses; the name that was typed is among them. Where a program of the user's own is called instead of ssh, only
/// that one is known.
pub async fn names(program: &[String], server: &Server, socket: &Path, cgroup: Option<&Path>) -> Vec<String> {
    let (mut names, mut todo) = (BTreeSet::new(), vec![server.clone()]);
    for _ in 0..HOPS {
        let Some(next) = todo.pop() else { break };
        if !names.insert(next.host().to_owned()) {
            continue;
        }
        let Some(line) = command::configuration(program, &next, socket) else { continue };
        let Ok(Ok(text)) = timeout(ANSWER, configuration(line, cgroup)).await else { continue };
        let (host, jumps) = read(&text);
        names.extend(host);
        todo.extend(jumps);
    }
    names.into_iter().filter(|name| name.parse::<std::net::IpAddr>().is_err()).collect()
}

/// Where that host really is, and what is on the way there.
fn read(configuration: &str) -> (Option<String>, Vec<Server>) {
    let value = |key: &str| {
        let mut lines = configuration.lines().filter_map(|line| line.split_once(' '));
        lines.find_map(|(its, value)| (its == key).then(|| value.trim().to_owned()))
    };
    let jumps = value("proxyjump").filter(|jumps| jumps != "none").unwrap_or_default();
    (value("hostname"), jumps.split(',').filter_map(|jump| Server::parse(jump.trim()).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_jumps_are_read() {
        let (host, jumps) =
            read("user me\nhostname bastion.example\nport 22\nproxyjump me@one:2222,two.example\n");
        assert_eq!(host.as_deref(), Some("bastion.example"));
        assert_eq!(jumps.iter().map(Server::host).collect::<Vec<_>>(), ["one", "two.example"]);
        assert_eq!(read("hostname 192.0.2.1\nproxyjump none\n").1, []);
    }
}
