//! The control socket: what one process's engine does, another process of the same user may ask it for. One line of JSON is a
//! [`Command`], the next line back its [`Reply`] or [`Failure`].
//!
//! Each engine has one, in its own folder (0700); who asks is looked at all the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    time::timeout,
};

use crate::api::{Command, Failure, Reply};

/// The socket's name in an engine's folder.
const NAME: &str = "control";

/// Bytes of one command: an import's text is the largest, and that has a megabyte at most.
const LONGEST: u64 = 4 << 20;

/// What an explanation may take, and a little more: name servers that are silent, here and on the server, and a probe.
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody has the socket of an engine that does not take connections any more.
const CONNECT: Duration = Duration::from_secs(1);

/// What comes back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Reply(Reply),
    Failure(Failure),
}

/// Made in an engine's folder.
pub struct Control(UnixListener);

impl Control {
    pub fn make(folder: &Path) -> io::Result<Self> {
        UnixListener::bind(folder.join(NAME)).map(Self)
    }

    /// For ever; `obey` is asked for each command.
    pub async fn run<F: Future<Output = Result<Reply, Failure>> + Send>(
        self,
        obey: impl Fn(Command) -> F + Clone + Send + 'static,
    ) {
        loop {
            let Ok((stream, _)) = self.0.accept().await else {
                // no descriptor is left: one may be free again after this
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw());
            if ours {
                let obey = obey.clone();
                tokio::spawn(async move { drop(serve(stream, obey).await) });
            }
        }
    }
}

async fn serve<F: Future<Output = Result<Reply, Failure>>>(
    stream: UnixStream,
    obey: impl Fn(Command) -> F,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    while let Some(line) = line(&mut lines).await? {
        let command: Command = serde_json::from_str(&line)?;
        let answer = obey(command).await.map_or_else(Answer::Failure, Answer::Reply);
        let mut bytes = serde_json::to_vec(&answer)?;
        bytes.push(b'\n');
        write.write_all(&bytes).await?;
    }
    Ok(())
}

async fn line(lines: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut text = String::new();
    let length = (&mut *lines).take(LONGEST).read_line(&mut text).await?;
    Ok((length > 0).then_some(text))
}

/// Asks every engine of this user whose folders are in there; those that do not answer are passed over.
pub async fn ask_all(runtime: &Path, command: &Command) -> Vec<Result<Reply, Failure>> {
    let mut answers = vec![];
    for socket in sockets(runtime) {
        if let Ok(Ok(answer)) = timeout(PATIENCE, ask(&socket, command)).await {
            answers.push(answer);
        }
    }
    answers
}

fn sockets(runtime: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(runtime).into_iter().flatten().flatten();
    let mut sockets: Vec<_> =
        folders.map(|folder| folder.path().join(NAME)).filter(|it| it.exists()).collect();
    sockets.sort();
    sockets
}

async fn ask(socket: &Path, command: &Command) -> io::Result<Result<Reply, Failure>> {
    let stream = timeout(CONNECT, UnixStream::connect(socket)).await??;
    if stream.peer_cred()?.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let (read, mut write) = stream.into_split();
    let mut bytes = serde_json::to_vec(command)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    let mut text = String::new();
    BufReader::new(read).read_line(&mut text).await?;
    Ok(match serde_json::from_str(&text)? {
        Answer::Reply(reply) => Ok(reply),
        Answer::Failure(failure) => Err(failure),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Code;

    #[tokio::test]
    async fn commands_are_answered_and_nonsense_ends_the_connection() {
        let runtime = tempfile::tempdir().unwrap();
        let folder = runtime.path().join("1");
        fs::create_dir(&folder).unwrap();
        let control = Control::make(&folder).unwrap();
        let obey = |command| async move {
            match command {
                Command::Status => Ok(Reply::Done),
                _ => Err(Failure::new(Code::Internal, "this", "")),
            }
        };
        let served = tokio::spawn(control.run(obey));
        assert_eq!(ask_all(runtime.path(), &Command::Status).await, [Ok(Reply::Done)]);
        let [Err(failure)] = &ask_all(runtime.path(), &Command::DisconnectAll).await[..] else {
            panic!("no failure")
        };
        assert_eq!(failure.code, Code::Internal);
        let mut nonsense = UnixStream::connect(folder.join(NAME)).await.unwrap();
        nonsense.write_all(b"{}\n").await.unwrap();
        assert_eq!(nonsense.read(&mut [0; 8]).await.unwrap_or(0), 0, "it is hung up on");
        served.abort();
        let _ = served.await;
        assert!(ask_all(runtime.path(), &Command::Status).await.is_empty(), "nobody is there any more");
    }
}
