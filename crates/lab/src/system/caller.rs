//! A program of one user in the computer that does what a test says, one thing after another.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use super::{
    accounts::User,
    calls::{Answer, Order},
    computer::{PROGRAMS, System},
};

/// For what asks nobody. Starting the helper, polkit and both their sandboxes takes a second on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A running one; it ends with the value.
#[derive(Debug)]
pub struct Caller {
    child: Child,
    /// None when it is being ended.
    orders: Option<ChildStdin>,
    answers: Receiver<Answer>,
    /// Its number as processes in the computer see it.
    pid: u32,
}

impl Caller {
    /// Starts it; it has not called anybody yet.
    pub fn new(system: &System, user: User) -> Self {
        // the shell tells its number, and becomes the program
        let become_it = format!("echo $$; exec {PROGRAMS}/ropeway-lab __call");
        let mut command = system.command_of(user, "sh");
        command.args(["-c", &become_it]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("nsenter runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let pid = lines.next().expect("a line").expect("a line").parse().expect("a number");
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).expect("an answer"));
            }
        });
        let orders = child.stdin.take();
        Self { child, orders, answers, pid }
    }

    /// Does one thing.
    #[track_caller]
    pub fn does(&mut self, order: &Order) -> Answer {
        self.begins(order);
        self.finishes()
    }

    /// Begins one, which waits for somebody else.
    #[track_caller]
    pub fn begins(&mut self, order: &Order) {
        let line = serde_json::to_string(order).expect("JSON") + "\n";
        self.orders.as_mut().expect("it runs").write_all(line.as_bytes()).expect("it listens");
    }

    /// What came of the one that it began.
    #[track_caller]
    pub fn finishes(&mut self) -> Answer {
        self.answers.recv_timeout(SOON).expect("an answer in time")
    }

    /// As processes in the computer see it.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // it ends at the end of its input; where it waits for something, not by itself
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
