//! Whether the agent lives. Any byte is a sign: on a slow line the answer to a heartbeat waits behind everything that was
//! sent before it. Beats are counted, not seconds: a process that was stopped for an hour has not listened.

use std::time::Duration;

use ropeway_mux::Micros;

use super::{End, Shared};

/// Pause between two heartbeats. The agent's answer is the evidence for "Connected".
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// After so many heartbeats without a byte from the agent the path is not verified any more: 10 s, longer than a
/// lost packet takes to be sent again.
const UNVERIFIED: u32 = 2;

/// After so many the path is dead: 20 s. A rekey or a Wi-Fi roam takes a few seconds.
const DEAD: u32 = 4;

/// What the heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The agent has answered, and lately something came from it.
    pub verified: bool,
    /// Of the last heartbeat.
    pub round_trip: Option<Micros>,
}

#[derive(Default)]
pub(super) struct Heart {
    /// A heartbeat came back once. What came before that may be a banner.
    answered: bool,
    /// Heartbeats since the last byte.
    silent: u32,
}

impl Heart {
    /// Bytes came, and perhaps the answer to a heartbeat.
    pub(super) fn hear(&mut self, pong: Option<Micros>, shared: &Shared) {
        let was_silent = std::mem::take(&mut self.silent) >= UNVERIFIED;
        if !was_silent && pong.is_none() {
            return;
        }
        self.answered |= pong.is_some();
        let verified = self.answered;
        shared.health.send_if_modified(|health| {
            let now = Health { verified, round_trip: pong.or(health.round_trip) };
            std::mem::replace(health, now) != now
        });
    }

    /// It is time for one.
    pub(super) fn beat(&mut self, shared: &Shared) -> Result<(), End> {
        if self.silent >= DEAD {
            return Err(End::NoAnswer);
        }
        if self.silent >= UNVERIFIED {
            shared.health.send_if_modified(|health| std::mem::take(&mut health.verified));
        }
        self.silent += 1;
        let now = shared.now();
        shared.state().mux.ping(now);
        Ok(())
    }
}
