//! What the client wants to know beside its streams: who does it, and how the answer is sent.

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_agent_api::{Report, Request, flow};
use ropeway_mux::{Connection, Micros};

use crate::flows::{self, Flows};
use crate::hostwatch::HostWatch;
use crate::names::Names;
use crate::{hosts_file, routing};

/// Everybody who is sent for something.
pub struct Errands {
    pub names: Names,
    pub flows: Flows,
    pub watch: HostWatch,
}

impl Errands {
    pub fn new([names, flows, watch, neighbours]: [Registry; 4]) -> Self {
        Self {
            names: Names::new(names),
            flows: Flows::new(flows),
            watch: HostWatch::new([watch, neighbours]),
        }
    }

    /// Whether the poll's token is a socket's of one of them.
    pub fn own(token: Token) -> bool {
        Names::owns(token) || Flows::owns(token) || HostWatch::owns(token)
    }

    /// The poll has news of that socket.
    pub fn on_ready(&mut self, token: Token, mux: &mut Connection, now: Micros) {
        if Names::owns(token) {
            self.names.on_ready(token, mux, now);
        } else if Flows::owns(token) {
            self.flows.on_ready(token, now, &mut |flow, data| {
                mux.send_datagram(flow, data, now);
            });
        } else {
            self.watch.on_ready(token, now);
        }
    }

    pub fn next_deadline(&mut self) -> Option<Micros> {
        let all = [self.names.next_deadline(), self.flows.next_deadline(), self.watch.next_deadline()];
        all.into_iter().flatten().min()
    }

    pub fn expire(&mut self, mux: &mut Connection, now: Micros) {
        self.names.expire(mux, now);
        self.flows.expire(now);
        self.watch.expire(mux, now);
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
    pub fn on_control(&mut self, kind: u8, data: Bytes, mux: &mut Connection, now: Micros) {
        let Ok(Some(request)) = Request::decode(kind, data) else { return };
        let report = match request {
            Request::Routes => Report::Routes(routing::routes(self.names.search())),
            Request::LookUp { id, name } => Report::LookedUp { id, addresses: hosts_file::addresses(&name) },
            Request::WatchHosts { seeds, auto } => return self.watch.want(&seeds, auto, now),
        };
        let (kind, data) = report.encode();
        // full only with 256 KiB of answers that nobody reads: whoever asks that much has to ask again
        let _ = mux.send_control(kind, data);
    }
}
