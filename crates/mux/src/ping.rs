//! PING and PONG: one question at a time, for when there is nothing in flight to be acknowledged.

use crate::{Error, Micros, frame::Frame};

#[derive(Debug, Default)]
pub(crate) struct Pings {
    /// Asked for and not answered; `sent` once it is written.
    asked: Option<Micros>,
    sent: bool,
    /// The peer's question that we have to answer. A newer one replaces it: peers ask one at a time.
    owed: Option<u32>,
}

impl Pings {
    pub(crate) fn ask(&mut self, now: Micros) {
        self.asked.get_or_insert(now);
    }

    pub(crate) fn owe(&mut self, token: u32) {
        self.owed = Some(token);
    }

    /// The next frame to send, if any.
    pub(crate) fn take(&mut self) -> Option<Frame> {
        if let Some(token) = self.owed.take() {
            return Some(Frame::Pong { token });
        }
        let asked = self.asked.filter(|_| !self.sent)?;
        self.sent = true;
        Some(Frame::Ping { token: token(asked) })
    }

    /// The round trip that an answer ends.
    pub(crate) fn answer(&mut self, answered: u32, now: Micros) -> Result<Micros, Error> {
        match self.asked {
            Some(asked) if self.sent && token(asked) == answered => {
                self.asked = None;
                self.sent = false;
                Ok(Micros(now.0.saturating_sub(asked.0)))
            }
            _ => Err(Error::Unexpected("PONG")),
        }
    }
}

fn token(asked: Micros) -> u32 {
    asked.0 as u32
}
