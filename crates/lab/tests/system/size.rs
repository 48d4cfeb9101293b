//! What the helper costs a computer on which nobody uses it. Only the program as it is shipped can tell, so this needs
//! a release build, which `make bench` makes.

use std::{fs, path::Path};

use ropeway_helper_api::bus;
use ropeway_lab::{
    harness::bin,
    system::{Caller, HELPER, System, User},
};

use crate::connect;

/// Bytes of the file, and of memory while one connection is open and nothing asked.
const FILE: u64 = 4_000_000;
const MEMORY: u64 = 6_000_000;

#[test]
fn the_helper_is_small() {
    let debug = bin("ropeway-helper").expect("it is built");
    let release = debug.parent().expect("a folder").with_file_name("release").join("ropeway-helper");
    if !release.exists() {
        eprintln!("SKIPPED the_helper_is_small: {} is not built, `make bench` does it.", release.display());
        return;
    }
    let Some(system) = System::boot("the_helper_is_small") else { return };
    system.install_helper().expect("it installs");
    replace(&system, &release);
    let bytes = fs::metadata(&release).expect("it is there").len();
    assert!(bytes < FILE, "{bytes} bytes");

    let mut caller = Caller::new(&system, User::ROOT);
    connect(&mut caller);
    let pid = system.owner(bus::NAME).expect("it runs");
    let memory = system.status_of(pid, "VmRSS").expect("a field");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().expect("a number");
    println!("{bytes} bytes, {kilobytes} kB of memory");
    assert!(kilobytes * 1024 < MEMORY, "{memory}");
}

fn replace(system: &System, program: &Path) {
    let new = system.path(HELPER).with_extension("new");
    fs::copy(program, &new).expect("it can be copied");
    fs::rename(new, system.path(HELPER)).expect("it can be renamed");
}
