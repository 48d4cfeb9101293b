//! Everything that the fuzzer ever found worth keeping, once more.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::{fs, path::Path};

#[test]
fn streams_of_bytes() {
    replay("stream", fuzz::stream);
}

#[test]
fn requests_of_one_client() {
    replay("requests", fuzz::requests);
}

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "the corpus is in the repository");
    for file in files {
        println!("{}", file.display()); // shown when it fails
        run(&fs::read(file).unwrap());
    }
}
