//! curl on a host of the lab, with what a test asks about: exit code, time, content.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{Host, stream};

/// A fetched page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// curl's exit code: 0 good, 7 no connection, 28 too slow, 52 empty answer, 56 reset.
    pub code: i32,
    /// What came.
    pub body: String,
    /// How long curl took.
    pub took: Duration,
}

/// A long transfer, of which only the sum is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Transferred {
    pub code: i32,
    pub sum: stream::Sum,
}

impl Host {
    /// Fetches a page; curl gives up after `within`.
    pub fn fetch(&self, url: &str, within: Duration) -> Result<Fetched> {
        let started = Instant::now();
        let output = curl(self, within)?.arg(url).output().context("curl")?;
        Ok(Fetched {
            code: output.status.code().unwrap_or(-1),
            body: String::from_utf8_lossy(&output.stdout).into(),
            took: started.elapsed(),
        })
    }

    /// Fetches something long and sums it up on the way.
    pub fn download(&self, url: &str, within: Duration) -> Result<Transferred> {
        let mut child = curl(self, within)?.arg(url).stdout(Stdio::piped()).spawn().context("curl")?;
        let sum = stream::sum(&mut child.stdout.take().context("curl has no output")?)?;
        Ok(Transferred { code: child.wait()?.code().unwrap_or(-1), sum })
    }

    /// Sends the first `length` bytes of the stream; the result is what the web server says it got.
    pub fn upload(&self, url: &str, length: u64, within: Duration) -> Result<Fetched> {
        let started = Instant::now();
        let mut command = curl(self, within)?;
        command.args(["--upload-file", "-"]).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("curl")?;
        let mut input = child.stdin.take().context("curl has no input")?;
        // a curl that gives up closes its input; its exit code says so
        let writer = thread::spawn(move || stream::write(&mut input, length));
        let output = child.wait_with_output()?;
        let _ = writer.join();
        Ok(Fetched {
            code: output.status.code().unwrap_or(-1),
            body: String::from_utf8_lossy(&output.stdout).into(),
            took: started.elapsed(),
        })
    }
}

fn curl(host: &Host, within: Duration) -> Result<Command> {
    let mut command = host.command("curl")?;
    command.args(["--silent", "--show-error", "--globoff", "--max-time", &within.as_secs_f32().to_string()]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}
