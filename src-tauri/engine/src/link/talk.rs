//! Datagrams to and from the agent, which may be lost.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Link;

/// Datagrams of a flow that may wait for their reader; what comes then is dropped, as a network would.
const WAITING: usize = 256;

impl Link {
    /// Sends it when its turn comes, unless too many wait.
    pub fn send_datagram(&self, flow: u32, data: Bytes) {
        let now = self.shared.now();
        self.shared.state().mux.send_datagram(flow, data, now);
        self.shared.wakes.call();
    }

    /// What comes on the flow from now on; an earlier reader gets no more.
    pub fn datagrams(&self, flow: u32) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.shared.state().readers.insert(flow, sender);
        receiver
    }
}
