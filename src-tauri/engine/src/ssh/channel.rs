//! The channel on which the agent runs: an ssh that speaks through our master, or the agent itself on this computer.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::Path,
    process::{Command as StdCommand, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout, timeout_at},
};

use super::{
    bootstrap::{self, Answer, Machine, Reader, TooMuchNoise, Trouble},
    command, environment, failure,
};
use crate::{
    agents::{Agents, Found},
    api::{Code, Failure},
    guard,
    sys::descriptors,
};

/// How long a server may take for each answer. A busy one needs seconds to start a shell; one that says nothing for
/// this long is not going to.
const STEP: Duration = Duration::from_secs(30);

/// Bytes a second of the slowest line worth having, a bad GPRS one: the agent may take its size by this, and a step.
const SLOWEST: u64 = 2000;

/// Bytes of a server's stderr that are kept or logged: what a person reads, not what fills a disk.
const WORDS: u64 = 64 << 10;

/// A running agent and its pipes.
pub struct Channel {
    child: Child,
    pub input: ChildStdin,
    pub output: ChildStdout,
    /// Read from `output` already.
    pub first: Vec<u8>,
}

impl Channel {
    /// The agent on this computer; its own connections are never captured, because it is in `cgroup`.
    pub fn local(agents: &Agents, cgroup: Option<&Path>) -> Result<Self, Failure> {
        let subject = "this computer";
        let found =
            agents.of_this_computer().ok_or_else(|| Failure::new(Code::Agent, subject, "no agent for it"))?;
        Self::spawn(&[found.path.clone().into()], cgroup)
            .map_err(|error| Failure::new(Code::Agent, subject, error.to_string()))
            .map(|(channel, errors)| {
                drain(errors);
                channel
            })
    }

    /// Makes the server run the agent. `check` sees what the server says of itself before anything is sent.
    pub async fn remote(
        program: &[String],
        server: &str,
        socket: &Path,
        agents: &Agents,
        check: impl Fn(&Machine) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let table: BTreeMap<_, _> =
            agents.all().iter().map(|(name, found)| (name.clone(), found.agent())).collect();
        let args = command::channel(program, socket, &bootstrap::command(&table));
        // not in the tunnel's cgroup: it makes no connection, and ends with the master's socket
        let (channel, errors) = Self::spawn(&args, None).map_err(|error| not_started(&error, server))?;
        Talk { channel, errors, server, reader: Reader::default(), machine: Machine::default() }
            .through(agents, check)
            .await
    }

    /// The process that we started: the agent, or the ssh that speaks for it.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the agent.
    pub async fn end(mut self) {
        drop((self.input, self.output));
        let _ = self.child.kill().await;
    }

    fn spawn(args: &[OsString], cgroup: Option<&Path>) -> io::Result<(Self, ChildStderr)> {
        let (name, rest) = args.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = StdCommand::new(name);
        command.args(rest).env_clear().envs(environment::cleaned(std::env::vars_os()));
        descriptors::as_before(&mut command);
        if let Some(folder) = cgroup {
            guard::enter(&mut command, folder)?;
        }
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        descriptors::enlarge_pipe(&input);
        descriptors::enlarge_pipe(&output);
        Ok((Self { child, input, output, first: vec![] }, errors))
    }
}

/// The conversation until the agent runs.
struct Talk<'a> {
    channel: Channel,
    errors: ChildStderr,
    server: &'a str,
    reader: Reader,
    machine: Machine,
}

impl Talk<'_> {
    async fn through(
        mut self,
        agents: &Agents,
        check: impl Fn(&Machine) -> Result<(), Failure>,
    ) -> Result<Channel, Failure> {
        let (mut deadline, mut sent) = (Instant::now() + STEP, false);
        loop {
            let answer = self.answer(deadline).await?;
            deadline = Instant::now() + STEP;
            match answer {
                // once: a server that goes on telling would never come to an end
                Answer::Machine(_) if self.machine != Machine::default() => {
                    return Err(Failure::new(Code::Protocol, self.server, "tells what it is again"));
                }
                Answer::Machine(machine) => {
                    check(&machine)?;
                    self.machine = machine;
                }
                Answer::Send if !sent => {
                    deadline = self.send(agents).await?;
                    sent = true;
                }
                Answer::Send => {
                    return Err(Failure::new(Code::Protocol, self.server, "asks for the agent again"));
                }
                Answer::Run => break,
                Answer::Failed(trouble) => return Err(self.trouble(trouble)),
            }
        }
        drain(self.errors);
        self.channel.first = self.reader.rest();
        Ok(self.channel)
    }

    async fn answer(&mut self, deadline: Instant) -> Result<Answer, Failure> {
        let detail = match read_answer(&mut self.channel.output, &mut self.reader, deadline).await {
            Ok(answer) => return Ok(answer),
            Err(NoAnswer::Ended) => return Err(self.silent().await),
            Err(NoAnswer::Late) => "no answer to the agent's start".to_owned(),
            Err(NoAnswer::Noise) => format!("more than {} bytes before the agent", bootstrap::MAX_NOISE),
        };
        Err(Failure::new(Code::Protocol, self.server, detail))
    }

    /// Returns when the answer must be there.
    async fn send(&mut self, agents: &Agents) -> Result<Instant, Failure> {
        let Some(found) = agents.get(&self.machine.platform) else {
            return Err(self.trouble(Trouble::Platform));
        };
        let program = tokio::fs::read(&found.path).await;
        let program = program.map_err(|error| Failure::new(Code::Agent, self.server, error.to_string()))?;
        let deadline = Instant::now() + patience(program.len());
        // a write that fails has its reason in the answer that follows
        let _ = timeout_at(deadline, self.channel.input.write_all(&program)).await;
        Ok(deadline)
    }

    fn trouble(&self, trouble: Trouble) -> Failure {
        let detail = match trouble {
            Trouble::Platform => format!("there is no agent for {}", self.machine.platform),
            Trouble::Store => "the agent could not be stored in ~/.cache/ropeway".to_owned(),
            Trouble::Run => "the stored agent does not start".to_owned(),
        };
        Failure::new(Code::Agent, self.server, detail)
    }

    /// The channel ended without a word of ours: no command may be run, or the login is gone.
    async fn silent(&mut self) -> Failure {
        let mut words = vec![];
        let _ = timeout(STEP, (&mut self.errors).take(WORDS).read_to_end(&mut words)).await;
        Failure::new(Code::NoExec, self.server, failure::tail(&String::from_utf8_lossy(&words)))
    }
}

/// Why there was none.
#[derive(Debug, PartialEq, Eq)]
enum NoAnswer {
    Ended,
    Late,
    Noise,
}

/// The deadline is for the whole answer: a server that only chatters does not move it.
async fn read_answer(
    output: &mut (impl AsyncRead + Unpin),
    reader: &mut Reader,
    deadline: Instant,
) -> Result<Answer, NoAnswer> {
    loop {
        if let Some(answer) = reader.next() {
            return Ok(answer);
        }
        let mut buffer = [0; 4096];
        match timeout_at(deadline, output.read(&mut buffer)).await {
            Ok(Ok(bytes @ 1..)) => reader.push(&buffer[..bytes]).map_err(|TooMuchNoise| NoAnswer::Noise)?,
            Ok(_) => return Err(NoAnswer::Ended),
            Err(_) => return Err(NoAnswer::Late),
        }
    }
}

/// For sending so many bytes and for what is said to them.
fn patience(bytes: usize) -> Duration {
    STEP + Duration::from_secs(bytes as u64 / SLOWEST)
}

/// The program worked a moment ago: mostly it is the computer that has run out of something.
fn not_started(error: &io::Error, server: &str) -> Failure {
    let code = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Code::SshMissing,
        _ => Code::Resources,
    };
    Failure::new(code, server, error.to_string())
}

/// What the agent or the server's profile writes to stderr goes to the log, up to a limit, and never blocks them.
fn drain(mut errors: ChildStderr) {
    tokio::spawn(async move {
        let (mut buffer, mut told) = ([0; 1024], 0);
        while let Ok(bytes @ 1..) = errors.read(&mut buffer).await {
            told += bytes as u64;
            if told <= WORDS {
                tracing::info!(agent = ?String::from_utf8_lossy(&buffer[..bytes]).trim_end());
            }
        }
    });
}

impl Found {
    fn agent(&self) -> bootstrap::Agent {
        bootstrap::Agent { hash: self.hash.clone(), size: self.size }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn chatter_does_not_put_off_the_deadline() {
        let (mut output, mut server) = duplex(64);
        let (mut reader, start) = (Reader::default(), Instant::now());
        let chatter = async {
            loop {
                server.write_all(b"Welcome!\n").await.unwrap();
                sleep(STEP / 3).await;
            }
        };
        tokio::select! {
            answer = read_answer(&mut output, &mut reader, start + STEP) => {
                assert_eq!((answer, start.elapsed()), (Err(NoAnswer::Late), STEP));
            }
            () = chatter => unreachable!(),
        }
    }

    #[test]
    fn an_agent_of_a_megabyte_may_take_minutes_to_arrive() {
        assert_eq!(patience(1_200_000), Duration::from_secs(630));
    }
}
