//! The Python model of the in-flight rule, over the same ssh and the same link. It is no tunnel: bulk and key presses
//! are made by itself.

use std::{
    fs,
    os::unix::fs::chown,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    bench::{load::bulk::Way, stage::Stage},
    harness::wait_until,
};

/// Its files: name and text.
const FILES: [(&str, &str); 2] = [
    ("model.py", include_str!("../../../bench-model/model.py")),
    ("rule.py", include_str!("../../../bench-model/rule.py")),
];

/// Login and the start of two Pythons, on the longest link here.
const START: Duration = Duration::from_secs(15);

/// What it prints: bytes a second, and seconds.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Measured {
    pub rate: f64,
    pub base: Vec<f64>,
    pub trips: Vec<f64>,
}

/// Runs it: types for `times[0]`, then moves bytes, warms up for `times[1]` and measures for `times[2]`.
pub fn run(stage: &Stage, way: Way, times: [Duration; 3]) -> Result<Measured> {
    let client = stage.lab.client();
    install(&client.home(), client.uid())?;
    install(&stage.lab.server().home_of_lab_user(), crate::accounts::LAB_ID)?;
    let mut command = client.command("python3")?;
    command.arg(client.home().join("model/model.py")).arg(way.name());
    command.args(times.map(|time| time.as_secs_f64().to_string()));
    command.args(["ssh", "-T", "-F"]).arg(stage.lab.ssh_config()).arg(stage.server());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = within(times.iter().sum::<Duration>() + START, command)?;
    ensure!(output.status.success(), "the model: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("the model prints no JSON")
}

/// Its output is a page or two: less than a pipe holds.
fn within(time: Duration, mut command: std::process::Command) -> Result<Output> {
    let mut child = command.spawn().context("python3")?;
    if wait_until(time, || child.try_wait().is_ok_and(|status| status.is_some())) {
        return Ok(child.wait_with_output()?);
    }
    child.kill()?;
    child.wait()?;
    bail!("the model still runs after {time:?}")
}

/// In the home of who runs it: the repository's own folder may be closed to them.
fn install(home: &Path, owner: u32) -> Result<()> {
    let folder = home.join("model");
    fs::create_dir_all(&folder)?;
    chown(&folder, Some(owner), Some(owner))?;
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
