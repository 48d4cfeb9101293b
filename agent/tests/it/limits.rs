//! What the agent costs, and what it does when the server has no more to give.

use std::process::{Command, Stdio};

use ropeway_mux::Reason;

use crate::client::{AGENT, Client, number_in_status};
use crate::servers::{self, V4};

/// Enough for the agent itself and some forty connections.
const FEW_FILES: usize = 48;

#[test]
fn connections_beyond_the_descriptors_are_refused_and_the_others_live() {
    let script = format!("ulimit -n {FEW_FILES} && exec {AGENT}");
    let mut client =
        Client::spawn(Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let echo = servers::echo(V4);
    let ids: Vec<_> = (0..2 * FEW_FILES).map(|_| client.open(echo)).collect();
    client.wait("all answers", |client| {
        client.streams().all(|stream| stream.opened || stream.refused.is_some())
    });

    let (lucky, refused): (Vec<_>, Vec<_>) = ids.into_iter().partition(|&id| client.stream(id).opened);
    assert!(!lucky.is_empty() && refused.len() >= FEW_FILES);
    assert!(refused.iter().all(|&id| client.stream(id).refused == Some(Reason::Exhausted)));

    for &id in &lucky {
        client.send(id, &b"still here"[..]);
        client.finish(id);
    }
    client.wait("the echoes", |client| lucky.iter().all(|&id| client.stream(id).eof));
    assert!(lucky.iter().all(|&id| client.stream(id).received == b"still here"));

    let later = client.open(echo);
    client.wait("a later connection", |client| client.stream(later).opened);
}

#[cfg(target_os = "linux")]
mod on_linux {
    use std::time::Duration;

    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    use super::*;

    const IDLE: usize = 9000;

    /// The product's promise for an idle agent.
    const IDLE_KIB: usize = 5 << 10;

    /// Less than the smallest buffer: nobody keeps one. Two streams' tables, the agent's and the mux's, fit.
    const BYTES_PER_CONNECTION: usize = 1 << 10;

    #[test]
    fn thousands_of_idle_connections_cost_little_memory_and_no_wakeups() {
        allow_many_files();
        let mut client = Client::start();
        let first = client.connect(servers::echo(V4));
        assert!(client.stream(first).opened);
        let before = number_in_status(client.pid(), "VmRSS:");

        let idle = servers::idle(V4);
        for _ in 0..IDLE {
            client.open(idle);
        }
        client.wait("all connections", |client| client.streams().all(|stream| stream.opened));
        let after = number_in_status(client.pid(), "VmRSS:");
        println!("{before} KiB with one connection, {after} KiB with {IDLE} more");
        assert!(before < IDLE_KIB, "{before} KiB with one connection");
        assert!(after < IDLE_KIB + IDLE * BYTES_PER_CONNECTION / 1024, "{after} KiB with {IDLE} connections");

        assert!((0..10).any(|_| sleeps_soundly(client.pid())), "an idle agent has nothing to wake up for");
    }

    /// Our last words may still be on their way, so the first look is allowed to fail.
    fn sleeps_soundly(pid: u32) -> bool {
        let before = wakeups(pid);
        std::thread::sleep(Duration::from_millis(300));
        wakeups(pid) == before
    }

    fn wakeups(pid: u32) -> usize {
        number_in_status(pid, "voluntary_ctxt_switches:")
    }

    fn allow_many_files() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("known");
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit is allowed");
    }
}
