//! The one login: our master, behind a guard.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command as StdCommand, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
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
    sys::appearance::Appearance,
};

/// How long signing in may take: a server gives up after two minutes too (`LoginGraceTime`), and a person who must
/// touch a key has looked away by then.
const SIGNING_IN: Duration = Duration::from_mins(2);

/// How often the master's socket is looked for where nobody tells of it.
const LOOK: Duration = Duration::from_millis(10);

/// How long the guard may take to end ssh: twice its own patience.
const END: Duration = Duration::from_secs(2);

/// Bytes of ssh's words that are kept; the last ones count.
const WORDS: usize = 64 * 1024;

/// What ssh writes to stderr.
struct Words {
    said: Arc<Mutex<Vec<u8>>>,
    /// Ends with the pipe.
    listener: JoinHandle<()>,
}

/// A guard, and what it guards.
pub struct Login {
    child: Child,
    /// The engine's end of the pipe: closed, the guard ends everything.
    leash: Option<ChildStdin>,
    words: Words,
    socket: PathBuf,
    /// Of the socket, which is ssh's one sign that the login is through. None where the system does not tell.
    appearance: Option<Appearance>,
    server: String,
}

impl Login {
    /// Starts ssh; it is not signed in yet.
    pub fn start(
        program: &[String],
        server: &Server,
        socket: &Path,
        wish: Option<&str>,
        cgroup: Option<&Path>,
    ) -> Result<Self, Failure> {
        let _ = std::fs::remove_file(socket);
        let appearance = Appearance::of(socket).inspect_err(|error| tracing::debug!(%error, "no watch")).ok();
        Self::spawn(&command::master(program, server, socket, wish), socket, server.to_string(), cgroup)
            // what cannot be started is the guard: it tells by itself of a missing ssh
            .map(|login| Self { appearance, ..login })
            .map_err(|error| Failure::new(Code::Resources, server.to_string(), error.to_string()))
    }

    /// A guard without a login, for the agent on this computer.
    pub fn none(cgroup: Option<&Path>) -> io::Result<Self> {
        Self::spawn(&[], Path::new(""), String::new(), cgroup)
    }

    /// Until signed in. Err = it could not.
    pub async fn signed_in(&mut self) -> Result<(), Failure> {
        timeout(SIGNING_IN, self.socket_or_end()).await.unwrap_or_else(|_| {
            let detail = format!("no login within {} seconds", SIGNING_IN.as_secs());
            Err(Failure::new(Code::ServerUnreachable, &*self.server, detail))
        })
    }

    async fn socket_or_end(&mut self) -> Result<(), Failure> {
        tokio::select! {
            status = self.child.wait() => {
                let code = status.ok().and_then(|status: ExitStatus| status.code());
                let words = self.words.all().await;
                Err(why(code, &self.server, &words))
            }
            () = here(self.appearance.as_ref(), &self.socket) => Ok(()),
        }
    }

    /// Until ssh ends by itself: why.
    pub async fn ended(&mut self) -> Failure {
        let _ = self.child.wait().await;
        let words = self.words.all().await;
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
        Self::watch(guard::command(cgroup, args)?, socket, server)
    }

    fn watch(guard: StdCommand, socket: &Path, server: String) -> io::Result<Self> {
        let mut child = Command::from(guard)
            .env_clear()
            .envs(environment::cleaned(std::env::vars_os()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let leash = child.stdin.take();
        let words = Words::listen(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        Ok(Self { child, leash, words, socket: socket.to_owned(), appearance: None, server })
    }
}

/// Until the socket is there.
async fn here(appearance: Option<&Appearance>, socket: &Path) {
    if let Some(appearance) = appearance
        && appearance.here().await.is_ok()
    {
        return;
    }
    while !socket.exists() {
        sleep(LOOK).await;
    }
}

impl Words {
    fn listen(stderr: ChildStderr) -> Self {
        let said = Arc::default();
        Self { listener: tokio::spawn(listen(stderr, Arc::clone(&said))), said }
    }

    /// Waits a moment for the end: something that ssh left behind may hold the pipe open. May be dropped and asked
    /// again.
    async fn all(&mut self) -> String {
        if !self.listener.is_finished() {
            let _ = timeout(END, &mut self.listener).await;
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }
}

async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(bytes @ 1..) = stderr.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..bytes]);
        let excess = said.len().saturating_sub(WORDS);
        said.drain(..excess);
    }
}

/// 127 is the guard's word for a program that cannot be started.
fn why(code: Option<i32>, server: &str, words: &str) -> Failure {
    match code {
        Some(127) => Failure::new(Code::SshMissing, server, failure::tail(words)),
        _ => failure::of_login(server, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(script: &str) -> Login {
        let mut guard = StdCommand::new("/bin/sh");
        guard.args(["-c", script]);
        Login::watch(guard, Path::new("/nowhere/socket"), "bastion".into()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_never_comes_has_a_limit() {
        let mut login = login("exec sleep 600");
        let start = tokio::time::Instant::now();
        assert_eq!(login.signed_in().await.unwrap_err().code, Code::ServerUnreachable);
        assert_eq!(start.elapsed().as_secs(), SIGNING_IN.as_secs());
        login.end().await;
    }

    #[tokio::test]
    async fn the_last_words_are_there_also_for_the_second_who_asks() {
        // left behind: holds the pipe open until the leash goes
        let mut login = login("exec 3<&0; cat <&3 & echo 'Connection reset by peer' >&2");
        login.child.wait().await.unwrap();
        assert!(timeout(Duration::from_millis(1), login.ended()).await.is_err(), "the pipe is still open");
        login.leash.take();
        assert_eq!(login.ended().await.detail, "Connection reset by peer");
    }
}
