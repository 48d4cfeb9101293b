//! The one login: our master, behind a guard.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdin, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{command, environment, failure};
use crate::{
    api::{Code, Failure},
    guard,
    profile::Server,
};

/// How often the master's socket is looked for. It appears when the login is through; ssh has no other sign.
const LOOK: Duration = Duration::from_millis(10);

/// How long the guard may take to end ssh: twice its own patience.
const END: Duration = Duration::from_secs(2);

/// Bytes of ssh's words that are kept; the last ones count.
const WORDS: usize = 64 * 1024;

/// A guard, and what it guards.
pub struct Login {
    child: Child,
    /// The engine's end of the pipe: closed, the guard ends everything.
    leash: Option<ChildStdin>,
    words: Option<JoinHandle<String>>,
    socket: PathBuf,
    server: String,
}

impl Login {
    /// Starts ssh; it is not signed in yet.
    pub fn start(
        program: &[String],
        server: &Server,
        socket: &Path,
        cgroup: Option<&Path>,
    ) -> Result<Self, Failure> {
        let _ = std::fs::remove_file(socket);
        Self::spawn(&command::master(program, server, socket), socket, server.to_string(), cgroup)
            .map_err(|error| Failure::new(Code::SshMissing, server.to_string(), error.to_string()))
    }

    /// A guard without a login, for the agent on this computer.
    pub fn none(cgroup: Option<&Path>) -> io::Result<Self> {
        Self::spawn(&[], Path::new(""), String::new(), cgroup)
    }

    /// Until signed in. Err = it could not.
    pub async fn signed_in(&mut self) -> Result<(), Failure> {
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    let code = status.ok().and_then(|status: ExitStatus| status.code());
                    let words = self.words().await;
                    return Err(why(code, &self.server, &words));
                }
                () = sleep(LOOK) => if self.socket.exists() { return Ok(()) },
            }
        }
    }

    /// Until ssh ends by itself: why.
    pub async fn ended(&mut self) -> Failure {
        let _ = self.child.wait().await;
        let words = self.words().await;
        failure::of_loss(&self.server, &words)
    }

    /// Ends ssh and everything that it has started.
    pub async fn end(mut self) {
        self.leash.take();
        if timeout(END, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = std::fs::remove_file(&self.socket);
    }

    /// The guard's process, under which ssh's family is.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    fn spawn(args: &[OsString], socket: &Path, server: String, cgroup: Option<&Path>) -> io::Result<Self> {
        let mut child = Command::from(guard::command(cgroup, args)?)
            .env_clear()
            .envs(environment::cleaned(std::env::vars_os()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let leash = child.stdin.take();
        let words = child.stderr.take().map(|stderr| tokio::spawn(listen(stderr)));
        Ok(Self { child, leash, words, socket: socket.to_owned(), server })
    }

    /// What ssh has written. Waits a moment for its end: something that ssh left behind may hold the pipe open.
    async fn words(&mut self) -> String {
        match self.words.take() {
            Some(words) => timeout(END, words).await.ok().and_then(Result::ok).unwrap_or_default(),
            None => String::new(),
        }
    }
}

async fn listen(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(bytes @ 1..) = stderr.read(&mut buffer).await {
        words.extend_from_slice(&buffer[..bytes]);
        let excess = words.len().saturating_sub(WORDS);
        words.drain(..excess);
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// 127 is the guard's word for a program that cannot be started.
fn why(code: Option<i32>, server: &str, words: &str) -> Failure {
    match code {
        Some(127) => Failure::new(Code::SshMissing, server, failure::tail(words)),
        _ => failure::of_login(server, words),
    }
}
