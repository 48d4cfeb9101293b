//! Questions to the agent itself, and what it tells.

use ropeway_agent_api::{Report, Request};
use tokio::sync::broadcast;

use super::{Link, Shared};

/// Reports that a listener may be behind: the agent tells a few in a second.
pub(super) const BEHIND: usize = 256;

impl Link {
    /// Sent as soon as the pipe takes it. A link that has ended asks nobody.
    pub fn ask(&self, request: &Request) {
        let (kind, data) = request.encode();
        // full only when hundreds wait, and then the pipe is as good as dead
        let _ = self.shared.state().mux.send_control(kind, data);
        self.shared.wakes.call();
    }

    /// What the agent tells from now on.
    pub fn reports(&self) -> broadcast::Receiver<Report> {
        self.shared.reports.subscribe()
    }
}

impl Shared {
    /// What cannot be understood is passed over; nobody may be listening.
    pub(super) fn tell(&self, kind: u8, data: bytes::Bytes) {
        if let Ok(Some(report)) = Report::decode(kind, data) {
            let _ = self.reports.send(report);
        }
    }
}
