//! What the client wants to know beside its streams: who does it, and how the answer is sent.

use bytes::Bytes;
use mio::Registry;
use ropeway_agent_api::{Report, Request, flow};
use ropeway_mux::{Connection, Micros};

use crate::flows::{self, Flows};
use crate::names::Names;
use crate::{hosts_file, routing};

/// Everybody who is sent for something.
pub struct Errands {
    pub names: Names,
    pub flows: Flows,
}

impl Errands {
    pub fn new([names, flows]: [Registry; 2]) -> Self {
        Self { names: Names::new(names), flows: Flows::new(flows) }
    }

    pub fn on_datagram(&mut self, flow: u32, data: Bytes, mux: &mut Connection, now: Micros) {
        if flow == flow::NAMES {
            self.names.ask(data, mux, now);
        } else if flows::carries(flow) {
            self.flows.send(flow, data, now, &mut |flow, data| {
                mux.send_datagram(flow, data, now);
            });
        }
    }

    /// What cannot be understood is passed over: the client asks for nothing twice.
    pub fn on_control(&mut self, kind: u8, data: Bytes, mux: &mut Connection) {
        let Ok(Some(request)) = Request::decode(kind, data) else { return };
        let report = match request {
            Request::Routes => Report::Routes(routing::routes(self.names.search())),
            Request::LookUp { id, name } => Report::LookedUp { id, addresses: hosts_file::addresses(&name) },
        };
        let (kind, data) = report.encode();
        // full only with 256 KiB of answers that nobody reads: whoever asks that much has to ask again
        let _ = mux.send_control(kind, data);
    }
}
