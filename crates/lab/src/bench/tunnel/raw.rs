//! The ceiling: `ssh host cat`, one channel and no tunnel.

use std::{
    io::{Read, Write},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};

use crate::bench::{
    load::bulk::Way,
    stage::Stage,
    usage::{Before, Processes},
};

/// Read and written at a time; ssh itself moves no more.
const BLOCK: usize = 256 << 10;

/// One that moves bytes. It ends with the value.
#[derive(Debug)]
pub struct Raw {
    ssh: Child,
    thread: Option<JoinHandle<()>>,
    /// What has been moved: read here, or taken from here, which in a second is the same but for some buffers.
    pub moved: Arc<AtomicU64>,
    before: Before,
}

impl Raw {
    /// Starts it.
    pub fn start(stage: &Stage, way: Way) -> Result<Self> {
        let before = Before::of(&stage.lab);
        let mut ssh = stage.lab.client().command("ssh")?;
        ssh.arg("-F").arg(stage.lab.ssh_config()).arg(stage.server());
        ssh.stdin(Stdio::null()).stdout(Stdio::null());
        match way {
            Way::Down => ssh.arg("cat /dev/zero").stdout(Stdio::piped()),
            Way::Up => ssh.arg("cat >/dev/null").stdin(Stdio::piped()),
        };
        let mut ssh = ssh.spawn().context("ssh")?;
        let moved = Arc::default();
        let counter = Arc::clone(&moved);
        let thread = match (ssh.stdout.take(), ssh.stdin.take()) {
            (Some(output), _) => thread::spawn(move || take(output, &counter)),
            (None, input) => {
                let input = input.context("ssh has neither input nor output")?;
                thread::spawn(move || give(input, &counter))
            }
        };
        Ok(Self { ssh, thread: Some(thread), moved, before })
    }

    /// What it is made of.
    pub fn processes(&self, stage: &Stage) -> Processes {
        self.before.since(&stage.lab)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(mut output: impl Read, moved: &AtomicU64) {
    let mut buffer = vec![0; BLOCK];
    while let Ok(bytes @ 1..) = output.read(&mut buffer) {
        moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

fn give(mut input: impl Write, moved: &AtomicU64) {
    let buffer = vec![0; BLOCK];
    while let Ok(bytes @ 1..) = input.write(&buffer) {
        moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
