//! A ropeway that is another one than was built: it sends another agent, or begins with less.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ropeway_lab::{
    Lab,
    harness::{bin, folder_of_programs},
};

/// A program on the client, to be run by its user.
pub fn script(lab: &Lab, name: &str, text: &str) -> PathBuf {
    let path = lab.client().home().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a home");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

/// The real agent, at `$HOME/agent` of the account that is signed in to.
pub fn put_agent_on_server(lab: &Lab) {
    copy(&the_agent(), &lab.server().home_of_lab_user().join("agent"));
}

/// A copy of ropeway on the client that sends another agent: a script that does as if it could start.
pub fn with_agent(lab: &Lab, script: &str) -> PathBuf {
    let folder = lab.client().home().join("other");
    fs::create_dir_all(folder.join("agents")).expect("a home");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    copy(&bin("ropeway").expect("it is built"), &folder.join("ropeway"));
    let agent = folder.join("agents").join(the_agent().file_name().expect("a file"));
    fs::write(agent, format!("#!/bin/sh\ntest \"$1\" = --version && exit\n{script}\n")).expect("a home");
    folder.join("ropeway")
}

fn the_agent() -> PathBuf {
    let folder = folder_of_programs().expect("there is one").join("agents");
    let name = format!("ropeway-agent-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    folder.join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("it is ours");
}
