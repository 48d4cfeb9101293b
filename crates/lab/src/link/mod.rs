//! A slow, long link between two hosts of the lab: two TUN devices, and a thread that carries packets from one to the
//! other at a rate, after a delay, through a queue that drops what does not fit. Kernels without netem have no other.
//!
//! [`spec`] is what a link is like, [`queue`] decides when a packet arrives and never looks at a clock, [`tun`] makes
//! the devices, [`carry`] is the thread. IPv4 alone: what runs over it is one ssh connection.

mod carry;
mod queue;
mod spec;
mod tun;

use std::{
    net::Ipv4Addr,
    os::fd::OwnedFd,
    process::Command,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, ensure};

use crate::{Host, congestion};

pub use carry::Counts;
pub use spec::{Schedule, Spec};

/// Both ends of the link; the range for benchmarks of networks (RFC 2544), so nobody else's.
pub const ENDS: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(198, 18, 0, 2)];

/// The device's name on both hosts.
const DEVICE: &str = "link0";

/// Packets that the kernel keeps for our next read. Its own 500 are fewer than the windows of TCP that arrive at once
/// on a fast link with a long delay (2 MiB are 1 400 packets); drops belong to the emulated queue alone.
const READ_QUEUE: &str = "10000";

/// A link that is up; it ends with the value.
#[derive(Debug)]
pub struct Link {
    control: Arc<carry::Control>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Joins two hosts. The first is reached at `ENDS[0]`, the second at `ENDS[1]`.
    pub fn between(hosts: [&Host; 2], spec: &Spec) -> Result<Self> {
        let [first, second] = [device(hosts[0], ENDS[0], ENDS[1])?, device(hosts[1], ENDS[1], ENDS[0])?];
        let control = Arc::new(carry::Control::new()?);
        let (shared, spec) = (Arc::clone(&control), spec.clone());
        let thread = thread::Builder::new()
            .name("link".into())
            .spawn(move || carry::carry([first, second], &spec, &shared))?;
        Ok(Self { control, thread: Some(thread) })
    }

    /// Begins the schedule of rates again, now.
    pub fn restart_schedule(&self) {
        self.control.restart.store(true, Ordering::Relaxed);
        self.control.wake();
    }

    /// What has happened so far, in the direction from the first host and in the one from the second.
    pub fn counts(&self) -> [Counts; 2] {
        self.control.counts()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Relaxed);
        self.control.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn device(host: &Host, own: Ipv4Addr, other: Ipv4Addr) -> Result<OwnedFd> {
    let root = host.as_root();
    // a device belongs to the network of the thread that opens it
    let device = root.run(|| tun::open(DEVICE))?.context("cannot make a TUN device")?;
    let ip = |args: &[&str]| -> Result<()> {
        let output = command(&root, args)?.output()?;
        ensure!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    };
    ip(&["addr", "add", &own.to_string(), "peer", &other.to_string(), "dev", DEVICE])?;
    ip(&["link", "set", DEVICE, "txqueuelen", READ_QUEUE, "up"])?;
    congestion::use_cubic(host)?;
    Ok(device)
}

fn command(root: &Host, args: &[&str]) -> Result<Command> {
    let mut command = root.command("ip")?;
    command.args(args);
    Ok(command)
}
