//! curl with its own count of bytes, to be compared with what the app lists.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::Host;

/// A page that curl fetched, or tried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// curl's exit code: 0 good, 7 no connection, 56 reset.
    pub code: i32,
    /// What came.
    pub body: String,
    /// Bytes of the answer, its head included.
    pub received: u64,
    /// Bytes of the request.
    pub sent: u64,
}

impl Visit {
    /// Whether the page came.
    pub fn succeeded(&self) -> bool {
        self.code == 0
    }
}

/// Fetches a page on a host; curl gives up after `within`.
pub fn visit(host: &Host, url: &str, within: Duration) -> Result<Visit> {
    let mut curl = host.command("curl")?;
    curl.args(["--silent", "--globoff", "--max-time", &within.as_secs_f32().to_string()]);
    curl.args(["--write-out", "%{stderr}%{size_download} %{size_header} %{size_request}"]).arg(url);
    let output = curl.stdin(Stdio::null()).output().context("curl")?;
    let counts = String::from_utf8_lossy(&output.stderr);
    let counts: Vec<u64> = counts.split_whitespace().filter_map(|count| count.parse().ok()).collect();
    ensure!(counts.len() == 3, "curl did not count: {output:?}");
    Ok(Visit {
        code: output.status.code().unwrap_or(-1),
        body: String::from_utf8_lossy(&output.stdout).into(),
        received: counts[0] + counts[1],
        sent: counts[2],
    })
}
