//! What was measured, on what, with what.

use std::{fs, process::Command};

/// The commit, with a mark if something is not in it.
pub fn commit() -> String {
    first_line("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
}

/// Processor and kernel.
pub fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |it| it.1);
    format!("{cpus} × {model}, Linux {}", kernel.trim())
}

/// ssh and Python.
pub fn versions() -> Vec<String> {
    vec![first_line("ssh", &["-V"]), first_line("python3", &["--version"])]
}

/// Of either output.
fn first_line(program: &str, args: &[&str]) -> String {
    let Some(output) = Command::new(program).args(args).output().ok().filter(|it| it.status.success()) else {
        return format!("unknown {program}");
    };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
