//! What the helper costs a computer. Only the program as it is shipped can tell (`cargo build --profile helper`), which
//! `make test` builds.

use std::fs;

use ropeway_helper_api::bus;
use ropeway_lab::{
    harness::bin,
    system::{Caller, System, User},
};

use crate::connect;

/// Bytes of the file, and of memory while a connection is open and nothing is asked.
const FILE: u64 = 4_000_000;
const MEMORY: u64 = 6_000_000;

#[test]
fn the_helper_is_small() {
    let debug = bin("ropeway-helper").expect("it is built");
    let release = debug.parent().expect("a folder").with_file_name("helper").join("ropeway-helper");
    if !release.exists() {
        eprintln!("SKIPPED the_helper_is_small: {} is not built, `make test` does it.", release.display());
        return;
    }
    let Some(system) = System::boot("the_helper_is_small") else { return };
    system.install_helper().expect("it installs");
    system.replace_helper_by(&release).expect("it can be copied");
    let bytes = fs::metadata(&release).expect("it is there").len();
    let mut caller = Caller::new(&system, User::ROOT);
    connect(&mut caller);
    let pid = system.owner(bus::NAME).expect("it runs");
    let memory = system.status_of(pid, "VmRSS").expect("a field");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().expect("a number");
    println!("{bytes} bytes, {kilobytes} kB of memory");
    assert!(bytes < FILE && kilobytes * 1024 < MEMORY);
}
