//! Who may use whom among our own crates. The helper has root and the agent runs on other people's servers: what
//! they are made of is decided here, not by what was handy.

use std::{
    collections::{BTreeMap, BTreeSet},
    env::{join_paths, split_paths, var_os},
    path::{Path, PathBuf},
    process::Command,
};

/// Crate and what of ours it may depend on, in any way. The lab drives the others as programs and may use any.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ropeway-agent", &["ropeway-agent-api", "ropeway-mux"]),
    ("ropeway-agent-api", &[]),
    ("ropeway-app", &["ropeway-engine"]),
    ("ropeway-cli", &["ropeway-engine"]),
    ("ropeway-engine", &["ropeway-agent-api", "ropeway-helper-api", "ropeway-mux"]),
    ("ropeway-helper", &["ropeway-helper-api"]),
    ("ropeway-helper-api", &[]),
    (
        "ropeway-lab",
        &[
            "ropeway-agent",
            "ropeway-agent-api",
            "ropeway-app",
            "ropeway-cli",
            "ropeway-engine",
            "ropeway-helper",
            "ropeway-helper-api",
            "ropeway-mux",
        ],
    ),
    ("ropeway-mux", &[]),
];

/// What must never come into these crates, however indirectly: the mux and the messages do no I/O of their own, the
/// engine knows no window, the two programs that run where they must be trusted stay small.
const NEVER: &[(&str, &[&str])] = &[
    ("ropeway-mux", &["tokio", "mio", "libc", "nix", "socket2"]),
    ("ropeway-agent-api", &["tokio", "mio", "libc", "nix", "socket2"]),
    ("ropeway-helper-api", &["tokio", "mio"]),
    ("ropeway-engine", &["tauri", "wry", "ksni"]),
    ("ropeway-helper", &["tokio", "tauri", "reqwest"]),
    ("ropeway-agent", &["tokio", "serde_json", "tauri"]),
];

#[test]
fn our_crates_use_only_whom_they_may() {
    let ours = dependencies();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    assert_eq!(
        ours.keys().map(String::as_str).collect::<Vec<_>>(),
        allowed.keys().copied().collect::<Vec<_>>()
    );
    for (name, uses) in &ours {
        for used in uses.iter().filter(|used| ours.contains_key(*used)) {
            assert!(allowed[name.as_str()].contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn small_crates_stay_small() {
    for (name, never) in NEVER {
        let tree = tree(name);
        for unwanted in *never {
            assert!(!tree.contains(*unwanted), "{name} has {unwanted} in its tree");
        }
    }
}

/// Our crates and everything that each names in its manifest.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]);
    let metadata: serde_json::Value = serde_json::from_str(&output).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages.iter().map(|package| (text(&package["name"]), named(&package["dependencies"]))).collect()
}

fn named(dependencies: &serde_json::Value) -> BTreeSet<String> {
    dependencies.as_array().into_iter().flatten().map(|it| text(&it["name"])).collect()
}

/// The names of all crates that are built into `name` on any system, without what only its tests use.
fn tree(name: &str) -> BTreeSet<String> {
    let args = ["tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}", "--package", name];
    cargo(&args).lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn cargo(args: &[&str]) -> String {
    // under sudo the search path is root's, and cargo would not find its own rustc
    let cargo = Path::new(env!("CARGO"));
    let usual = var_os("PATH").unwrap_or_default();
    let path = cargo.parent().map(PathBuf::from).into_iter().chain(split_paths(&usual));
    let path = join_paths(path).expect("a search path");
    let output =
        Command::new(cargo).args(args).env("PATH", path).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a name").to_owned()
}
