//! A helper of root's own: the program beside ours, started on a socket pair.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::Stdio,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{
    failures,
    line::{self, Line},
};
use crate::{api::Failure, ssh::environment};

/// How long a helper may take to undo its rules after we have hung up.
const FAREWELL: Duration = Duration::from_secs(2);

/// Starts the program and greets it.
pub async fn start(program: &Path) -> Result<Line, Failure> {
    let (socket, child) =
        spawn(program).map_err(|error| failures::missing(format!("{}: {error}", program.display())))?;
    line::greet(socket, end(child)).await
}

fn spawn(program: &Path) -> io::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new(program)
        .env_clear()
        .envs(environment::cleaned(std::env::vars_os()))
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    Ok((ours, child))
}

/// Its rules are gone when the program is, which is a little after it has hung up.
async fn end(mut child: Child) {
    if timeout(FAREWELL, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;
    use crate::api::Code;

    /// A program in place of the helper.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("helper");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_no_helper() {
        let folder = tempfile::tempdir().unwrap();
        let failure = start(&program(folder.path(), "exit 1")).await.err().unwrap();
        assert_eq!(failure.code, Code::HelperMissing);
        let failure = start(&folder.path().join("nothing")).await.err().unwrap();
        assert_eq!(failure.code, Code::HelperMissing);
    }
}
