//! Datagrams of the client's programs, and its echo requests: each flow has a socket of its own, bound to no peer, so that an
//! answer from anybody finds its way back, as through a router (RFC 4787, REQ-1 and REQ-8). What is not used any more is
//! forgotten; the client begins it anew with its next datagram.
//!
//! [`Flows`] keeps them and their time, `socket` is one of them, `errors` what the kernel heard about it.

#[cfg(target_os = "linux")]
#[path = "errors.rs"]
mod errors;
#[cfg(not(target_os = "linux"))]
#[path = "errors_elsewhere.rs"]
mod errors;
mod socket;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_agent_api::{Datagram, Undelivered, flow};
use ropeway_mux::Micros;

use crate::hostwatch;
use socket::{Kind, Socket};

/// Flows at one time, each with a descriptor; with one more, the one that was silent longest is given up. A busy browser has
/// some dozens.
const PLACES: usize = 1024;

/// What a question and its answer need: a peer that has not answered by then does not (Linux waits as long for the first answer,
/// `nf_conntrack_udp_timeout`).
const BRIEF: Micros = Micros(30_000_000);

/// A conversation has pauses. RFC 4787, REQ-5: not less than two minutes; programs keep theirs alive at shorter intervals.
const LONG: Micros = Micros(180_000_000);

/// The poll's names for our sockets are the highest numbers below those of the host watch.
const FIRST: usize = hostwatch::FIRST - PLACES;

/// Datagrams of one socket in one turn, so that one flood does not keep everybody else waiting.
const BATCH: usize = 64;

pub struct Flows {
    registry: Registry,
    places: Vec<Option<Flow>>,
    free: Vec<usize>,
    by_id: HashMap<(Kind, u32), usize>,
    /// When each is forgotten.
    ends: BTreeSet<(Micros, usize)>,
    /// For one datagram of any size.
    space: Vec<u8>,
}

struct Flow {
    kind: Kind,
    id: u32,
    socket: Socket,
    used: Micros,
    end: Micros,
    sent: u32,
    answered: bool,
}

impl Flow {
    fn lasts(&self) -> Micros {
        if self.sent > 1 && self.answered { LONG } else { BRIEF }
    }
}

/// Who hears what comes: the flow of the mux, and the datagram.
pub type Tell<'a> = &'a mut dyn FnMut(u32, Bytes);

impl Flows {
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            places: vec![],
            free: vec![],
            by_id: HashMap::new(),
            ends: BTreeSet::new(),
            space: vec![],
        }
    }

    /// Whether the poll's token is one of ours.
    pub fn owns(token: Token) -> bool {
        (FIRST..FIRST + PLACES).contains(&token.0)
    }

    /// From the client, on a flow of the mux that is ours.
    pub fn send(&mut self, of: u32, data: Bytes, now: Micros, tell: Tell) {
        let Some(kind) = Kind::of(of) else { return };
        let Ok(Datagram { id, remote, payload: Ok(payload) }) = Datagram::decode(data) else { return };
        let sent = match self.place(kind, id, remote.is_ipv4(), now) {
            Ok(place) => self.send_from(place, remote, &payload, now),
            Err(error) => Err(socket::undelivered(&error)),
        };
        if let Err(Some(why)) = sent {
            tell(of, Datagram { id, remote, payload: Err(why) }.encode());
        }
    }

    /// The poll has news of one of our sockets.
    pub fn on_ready(&mut self, token: Token, now: Micros, tell: Tell) {
        let place = token.0 - FIRST;
        if self.space.is_empty() {
            self.space = vec![0; socket::LARGEST];
        }
        let Some(flow) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        let (id, of) = (flow.id, flow.kind.flow());
        for (remote, why) in flow.socket.errors() {
            tell(of, Datagram { id, remote, payload: Err(why) }.encode());
        }
        let mut heard = false;
        for _ in 0..BATCH {
            let Some((remote, payload)) = flow.socket.receive(&mut self.space) else {
                if heard {
                    self.touch(place, now, true);
                }
                return;
            };
            heard = true;
            let payload = Ok(Bytes::copy_from_slice(payload));
            tell(of, Datagram { id, remote, payload }.encode());
        }
        // what is left is told again
        let _ = flow.socket.watch_again(&self.registry, token);
        self.touch(place, now, true);
    }

    pub fn next_deadline(&self) -> Option<Micros> {
        self.ends.first().map(|(end, _)| *end)
    }

    pub fn expire(&mut self, now: Micros) {
        while let Some((end, place)) = self.ends.first().copied()
            && end <= now
        {
            self.forget(place);
        }
    }

    fn send_from(
        &mut self,
        place: usize,
        remote: std::net::SocketAddr,
        payload: &[u8],
        now: Micros,
    ) -> Result<(), Option<Undelivered>> {
        let Some(flow) = self.places[place].as_mut() else { return Ok(()) };
        flow.sent = flow.sent.saturating_add(1);
        let sent = flow.socket.send(remote, payload);
        self.touch(place, now, false);
        sent.map_err(|error| socket::undelivered(&error))
    }

    /// That of the flow, made where there is none.
    fn place(&mut self, kind: Kind, id: u32, v4: bool, now: Micros) -> std::io::Result<usize> {
        if let Some(place) = self.by_id.get(&(kind, id)) {
            return Ok(*place);
        }
        if self.by_id.len() >= PLACES {
            self.forget_longest_silent();
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        match Socket::open(kind, v4, &self.registry, Token(FIRST + place)) {
            Ok(socket) => {
                let end = Micros(now.0 + BRIEF.0);
                self.places[place] =
                    Some(Flow { kind, id, socket, used: now, end, sent: 0, answered: false });
                self.by_id.insert((kind, id), place);
                self.ends.insert((end, place));
                Ok(place)
            }
            Err(error) => {
                self.free.push(place);
                Err(error)
            }
        }
    }

    /// It was used; its time begins anew.
    fn touch(&mut self, place: usize, now: Micros, heard: bool) {
        let Some(flow) = self.places[place].as_mut() else { return };
        flow.used = now;
        flow.answered |= heard;
        self.ends.remove(&(flow.end, place));
        flow.end = Micros(now.0 + flow.lasts().0);
        self.ends.insert((flow.end, place));
    }

    fn forget_longest_silent(&mut self) {
        let used = |(place, flow): (usize, &Option<Flow>)| flow.as_ref().map(|flow| (flow.used, place));
        if let Some((_, place)) = self.places.iter().enumerate().filter_map(used).min() {
            self.forget(place);
        }
    }

    fn forget(&mut self, place: usize) {
        let Some(flow) = self.places[place].take() else { return };
        self.by_id.remove(&(flow.kind, flow.id));
        self.ends.remove(&(flow.end, place));
        self.free.push(place);
    }
}

/// Whether a flow of the mux is one of ours.
pub fn carries(of: u32) -> bool {
    [flow::UDP, flow::ECHO].contains(&of)
}

#[cfg(test)]
mod tests;
