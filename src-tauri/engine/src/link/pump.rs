//! The one task that moves bytes between the agent's channel and the protocol, and listens for its heart.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use ropeway_mux::Micros;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{Link, Shared};

/// Bytes of one read: what a pipe of 64 KiB, the default, holds at most.
const INPUT: usize = 64 * 1024;

/// Bytes that wait for the pipe. What is here can no longer be overtaken by a keystroke, so it is no more than
/// the pipe takes at once: four full frames.
const OUTPUT: usize = 64 * 1024;

/// Pause between two heartbeats. The agent's answer is the evidence for "Connected".
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Without an answer for this long the path is not verified any more: two heartbeats.
const UNVERIFIED: Duration = Duration::from_secs(10);

/// Without an answer for this long the path is dead. A rekey or a Wi-Fi roam takes a few seconds.
const DEAD: Duration = Duration::from_secs(20);

/// Why the pump has stopped.
#[derive(Debug)]
pub enum End {
    /// The agent's output has ended.
    Eof,
    /// Reading or writing the channel failed.
    Pipe(io::Error),
    /// What came is not our protocol.
    Protocol(ropeway_mux::Error),
    /// No heartbeat came back for 20 s.
    NoAnswer,
}

/// What the heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The agent has answered, and lately.
    pub verified: bool,
    /// Of the last heartbeat.
    pub round_trip: Option<Micros>,
}

impl Link {
    /// Runs until the channel ends; all streams end with it. `first` has been read from the channel already.
    pub async fn run(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        first: &[u8],
    ) -> End {
        let end = self.pump(&mut from, &mut to, first).await;
        self.shared.state().end_all();
        self.shared.health.send_if_modified(|health| std::mem::take(&mut health.verified));
        end
    }

    async fn pump(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        first: &[u8],
    ) -> End {
        let shared = &*self.shared;
        let mut input = BytesMut::with_capacity(INPUT);
        let mut output = BytesMut::with_capacity(OUTPUT);
        let mut heart = Heart::start();
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(error) = shared.receive(first, &mut heart) {
            return End::Protocol(error);
        }
        loop {
            let deadline = shared.fill(&mut output);
            let deadline = deadline.map(|at| Instant::from_std(shared.start + Duration::from_micros(at.0)));
            tokio::select! {
                read = from.read_buf(&mut input) => {
                    match read {
                        Ok(0) => return End::Eof,
                        Err(error) => return End::Pipe(error),
                        Ok(_) => {}
                    }
                    if let Err(error) = shared.receive(&input, &mut heart) {
                        return End::Protocol(error);
                    }
                    input.clear();
                }
                written = to.write(&output), if !output.is_empty() => match written {
                    Ok(bytes) => output.advance(bytes),
                    Err(error) => return End::Pipe(error),
                },
                () = shared.wake.notified() => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    shared.expire();
                }
                _ = beat.tick() => if let Err(end) = shared.beat(&heart) { return end },
            }
        }
    }
}

/// When the agent was last heard.
struct Heart {
    answered: Instant,
}

impl Heart {
    fn start() -> Self {
        Self { answered: Instant::now() }
    }
}

impl Shared {
    /// Fills the output with what may be sent now; returns the protocol's next deadline.
    fn fill(&self, output: &mut BytesMut) -> Option<Micros> {
        let now = self.now();
        let mut state = self.state();
        // what leaves makes room, and the streams that waited for it must hear that
        while output.len() < OUTPUT && state.mux.transmit(output, OUTPUT - output.len(), now) > 0 {
            state.dispatch();
        }
        state.mux.next_deadline()
    }

    fn receive(&self, bytes: &[u8], heart: &mut Heart) -> Result<(), ropeway_mux::Error> {
        let now = self.now();
        let mut state = self.state();
        state.mux.receive(bytes, now)?;
        let pong = state.dispatch();
        drop(state);
        if let Some(round_trip) = pong {
            heart.answered = Instant::now();
            self.health.send_replace(Health { verified: true, round_trip: Some(round_trip) });
        }
        Ok(())
    }

    fn expire(&self) {
        let now = self.now();
        let mut state = self.state();
        state.mux.expire(now);
        state.dispatch();
    }

    fn beat(&self, heart: &Heart) -> Result<(), End> {
        let silent = heart.answered.elapsed();
        if silent >= DEAD {
            return Err(End::NoAnswer);
        }
        if silent >= UNVERIFIED {
            self.health.send_if_modified(|health| std::mem::take(&mut health.verified));
        }
        self.state().mux.ping(self.now());
        Ok(())
    }
}
