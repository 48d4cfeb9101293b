//! What engine and agent say to each other beside streams.

use std::collections::HashMap;

use bytes::Bytes;
use ropeway_agent_api::{Report, Request};
use tokio::sync::{
    broadcast,
    mpsc::{self, error::TrySendError},
};

use super::Link;

/// Datagrams that wait for whoever takes them: at 5 000 a second, what comes in 50 ms. More are dropped, as datagrams may be.
const DATAGRAMS: usize = 256;

/// Reports that a slow listener may be behind by.
const REPORTS: usize = 256;

/// Who wants to hear what.
pub(super) struct Listeners {
    flows: HashMap<u32, mpsc::Sender<Bytes>>,
    reports: broadcast::Sender<Report>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { flows: HashMap::new(), reports: broadcast::channel(REPORTS).0 }
    }
}

impl Listeners {
    pub(super) fn on_datagram(&mut self, flow: u32, data: &Bytes) {
        let Some(listener) = self.flows.get(&flow) else { return };
        if let Err(TrySendError::Closed(_)) = listener.try_send(data.clone()) {
            self.flows.remove(&flow);
        }
    }

    /// A kind of another time is passed over, and so is what cannot be read: an agent that means harm has better ways.
    pub(super) fn on_control(&self, kind: u8, data: &Bytes) {
        if let Ok(Some(report)) = Report::decode(kind, data.clone()) {
            let _ = self.reports.send(report);
        }
    }

    /// Nothing will ever arrive again.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

impl Link {
    /// Sends a datagram; it may be lost on its way.
    pub fn send_datagram(&self, flow: u32, data: Bytes) {
        let now = self.shared.now();
        let sent = self.shared.state().mux.send_datagram(flow, data, now);
        if sent {
            self.shared.wakes.call();
        }
    }

    /// The datagrams of a flow from now on, in the place of whoever heard them before. Ends with the link.
    pub fn datagrams(&self, flow: u32) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(DATAGRAMS);
        let mut state = self.shared.state();
        if !state.ended {
            state.listeners.flows.insert(flow, sender);
        }
        receiver
    }

    /// Asks the agent for something. False when it cannot be asked now: too much is waiting to be sent.
    pub fn ask(&self, request: &Request) -> bool {
        let (kind, data) = request.encode();
        let sent = self.shared.state().mux.send_control(kind, data);
        if sent {
            self.shared.wakes.call();
        }
        sent
    }

    /// What the agent tells from now on. Ends with the link.
    pub fn reports(&self) -> broadcast::Receiver<Report> {
        self.shared.state().listeners.reports.subscribe()
    }
}
