//! The login's cipher, as ssh itself tells it: AES-GCM first where both processors are known to have AES, and nothing
//! where somebody has named ciphers.

use std::{fs, path::PathBuf};

use ropeway_lab::{
    Family, Lab,
    harness::{Ropeway, lab_or_skip, wait_until},
};

use crate::{PRIVATE, SOON, assert_works};

const FIRST: &str = "aes128-gcm@openssh.com";

#[test]
fn the_second_login_prefers_the_cipher_that_both_processors_are_made_for() {
    let Some(lab) = lab_or_skip("cipher") else { return };
    if !this_processor_has_aes() {
        return eprintln!("SKIPPED: this computer's processor has no AES.");
    }
    let usual = cipher_of_a_login(&lab, "first", "");
    assert_ne!(usual, FIRST, "nobody knows the server yet");
    let learned = fs::read_to_string(memory(&lab)).expect("something was learned");
    assert!(learned.contains("aes = true"), "{learned}");
    assert_eq!(cipher_of_a_login(&lab, "second", ""), FIRST);
    assert_eq!(cipher_of_a_login(&lab, "named", "-c aes256-ctr"), "aes256-ctr");
    let own = lab.client().home().join("own_config");
    let others = format!("Host server\n  Ciphers {usual}\nInclude {}\n", lab.ssh_config().display());
    fs::write(&own, others).expect("a home");
    assert_eq!(cipher_of_a_login(&lab, "own", &format!("-F {}", own.display())), usual);
}

#[test]
fn a_server_without_aes_keeps_the_cipher_that_needs_none() {
    let Some(lab) = lab_or_skip("no-aes") else { return };
    let usual = cipher_of_a_login(&lab, "first", "");
    let learned = fs::read_to_string(memory(&lab)).expect("something was learned");
    fs::write(memory(&lab), learned.replace("aes = true", "aes = false")).expect("it is there");
    assert_eq!(cipher_of_a_login(&lab, "second", ""), usual);
}

fn this_processor_has_aes() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.split_whitespace().any(|word| word == "aes"))
}

fn memory(lab: &Lab) -> PathBuf {
    lab.client().home().join(".local/state/ropeway/learned.toml")
}

/// Connects once, with these options besides the lab's configuration, and reads what ssh writes down.
fn cipher_of_a_login(lab: &Lab, name: &str, options: &str) -> String {
    let log = lab.client().home().join(format!("{name}.log"));
    // of two -F, ssh takes the last
    let ssh = format!("ssh -v -E {} -F {} {options}", log.display(), lab.ssh_config().display());
    let args = [&["-r", "server", "-e", &ssh], PRIVATE].concat();
    let known = fs::metadata(memory(lab)).is_ok();
    let tunnel = Ropeway::start(lab, None, &args).expect("it starts");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    assert_works(lab, Family::V4);
    assert!(known || wait_until(SOON, || fs::metadata(memory(lab)).is_ok()), "nothing was learned");
    drop(tunnel);
    let log = fs::read_to_string(&log).expect("ssh has written it");
    let line = log.lines().find_map(|line| line.split_once("kex: client->server cipher: "));
    let (_, rest) = line.unwrap_or_else(|| panic!("no cipher in {log}"));
    rest.split(' ').next().unwrap_or_default().to_owned()
}
