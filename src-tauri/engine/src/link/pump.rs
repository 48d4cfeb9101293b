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

/// After so many heartbeats without a byte from the agent the path is not verified any more: 10 s, longer than a
/// lost packet takes to be sent again.
const UNVERIFIED: u32 = 2;

/// After so many the path is dead: 20 s. A rekey or a Wi-Fi roam takes a few seconds.
const DEAD: u32 = 4;

/// Why the pump has stopped.
#[derive(Debug)]
pub enum End {
    /// The agent's output has ended.
    Eof,
    /// Reading or writing the channel failed.
    Pipe(io::Error),
    /// What came is not our protocol.
    Protocol(ropeway_mux::Error),
    /// Not a byte came for 20 s, though we asked.
    NoAnswer,
}

/// What the heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The agent has answered, and lately something came from it.
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
        let mut heart = Heart::default();
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
                _ = beat.tick() => if let Err(end) = shared.beat(&mut heart) { return end },
            }
        }
    }
}

/// Whether the agent lives. Any byte is a sign: on a slow line the answer to a heartbeat waits behind everything that
/// was sent before it. Beats are counted, not seconds: a process that was stopped for an hour has not listened.
#[derive(Default)]
struct Heart {
    /// A heartbeat came back once. What came before that may be a banner.
    answered: bool,
    /// Heartbeats since the last byte.
    silent: u32,
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
        if !bytes.is_empty() {
            heart.silent = 0;
            heart.answered |= pong.is_some();
            self.heard(heart.answered, pong);
        }
        Ok(())
    }

    fn heard(&self, verified: bool, round_trip: Option<Micros>) {
        self.health.send_if_modified(|health| {
            let now = Health { verified, round_trip: round_trip.or(health.round_trip) };
            std::mem::replace(health, now) != now
        });
    }

    fn expire(&self) {
        let now = self.now();
        let mut state = self.state();
        state.mux.expire(now);
        state.dispatch();
    }

    fn beat(&self, heart: &mut Heart) -> Result<(), End> {
        if heart.silent >= DEAD {
            return Err(End::NoAnswer);
        }
        if heart.silent >= UNVERIFIED {
            self.health.send_if_modified(|health| std::mem::take(&mut health.verified));
        }
        heart.silent += 1;
        self.state().mux.ping(self.now());
        Ok(())
    }
}
