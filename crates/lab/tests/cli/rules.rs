//! A witness of every change to the client's firewall, however short.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use ropeway_lab::{Host, Lab, harness::wait_until};

use crate::SOON;

/// `nft monitor` on the client.
pub struct Witness {
    client: Host,
    monitor: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    /// Sees everything from when this returns.
    pub fn of(lab: &Lab) -> Self {
        let client = lab.client().as_root();
        let mut monitor = client.command("nft").expect("it is up");
        let mut monitor = monitor.arg("monitor").stdout(Stdio::piped()).spawn().expect("nft runs");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (output, seen) = (monitor.stdout.take().expect("it was piped"), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                seen.lock().expect("no panic").push(line);
            }
        });
        let witness = Self { client, monitor, lines };
        assert!(wait_until(SOON, || witness.sees("beginning")), "nft monitor sees nothing");
        witness
    }

    /// All changes so far, without our own marks.
    pub fn changes(&self) -> Vec<String> {
        assert!(wait_until(SOON, || self.sees("end")), "nft monitor has stopped seeing");
        let lines = self.lines.lock().expect("no panic").clone();
        lines.into_iter().filter(|line| !line.contains("witness-") && !line.starts_with('#')).collect()
    }

    /// Makes a change and looks whether it was noticed; events come in order.
    fn sees(&self, mark: &str) -> bool {
        let table = format!("witness-{mark}");
        let change = format!("add table inet {table}; delete table inet {table}");
        let done = self.client.command("nft").expect("it is up").arg(change).status();
        assert!(done.expect("nft runs").success());
        let noticed = |line: &String| line.contains(&table);
        wait_until(SOON / 50, || self.lines.lock().expect("no panic").iter().any(noticed))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}
