//! The page that `make bench` writes.

use std::{fs, process::Command};

use super::measure::Measured;

/// The whole page.
pub fn page(measured: &Measured) -> String {
    let raw = median(&measured.bulk_raw);
    let bulk = |what: &str, runs: &[f64]| {
        let ratio = median(runs) / raw;
        format!("| {what} | {:.0} | {:.0} – {:.0} | {ratio:.2} |\n", median(runs), least(runs), most(runs))
    };
    let time = |what: &str, runs: &[f64]| {
        format!("| {what} | {:.1} | {:.1} – {:.1} |\n", median(runs), least(runs), most(runs))
    };
    [
        HEAD.to_owned(),
        format!("Measured at commit {} on {}.\n\n", commit(), machine()),
        "## One bulk stream\n\n| what | median Mbit/s | least – most | ratio to ssh |\n|---|---:|---:|---:|\n".to_owned(),
        bulk("`ssh server cat file`", &measured.bulk_raw),
        bulk("down through the tunnel", &measured.bulk_down),
        bulk("up through the tunnel", &measured.bulk_up),
        "\n## From `connect()` to the first byte of a page\n\n| from | median ms | least – most |\n|---|---:|---:|\n".to_owned(),
        time("the server itself, no tunnel", &measured.first_byte_at_server),
        time("the client, through the tunnel", &measured.first_byte_through),
        "\n## Starting\n\n| what | median ms | least – most |\n|---|---:|---:|\n".to_owned(),
        time("`ssh server true`", &measured.plain_login),
        time("start, page in hand, end: first visit (agent sent)", &measured.start_first_visit),
        time("start, page in hand, end: agent cached on the server", &measured.start_again),
    ]
    .concat()
}

const HEAD: &str = "# Performance

`make bench` writes this page. Everything is measured in one run in the lab (network namespaces on one machine, no
added delay), the kinds in turn, so that ratios mean something where absolute numbers depend on the machine. The
client, ssh, sshd, the agent and the web server share its processors: the tunnel's price here is processor time,
which a real network hides.

";

fn sorted(runs: &[f64]) -> Vec<f64> {
    let mut runs = runs.to_vec();
    runs.sort_by(f64::total_cmp);
    runs
}

fn median(runs: &[f64]) -> f64 {
    sorted(runs).get(runs.len() / 2).copied().unwrap_or(f64::NAN)
}

fn least(runs: &[f64]) -> f64 {
    runs.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(runs: &[f64]) -> f64 {
    runs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    output.map_or_else(|_| "unknown".to_owned(), |it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |it| it.1);
    let ssh = Command::new("ssh")
        .arg("-V")
        .output()
        .map(|it| String::from_utf8_lossy(&it.stderr).trim().to_owned());
    format!("{cpus} × {model}, Linux {}, {}", kernel.trim(), ssh.unwrap_or_default())
}
