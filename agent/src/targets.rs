//! All connections of this agent, by their stream, and the time limit of those that are being made.
//!
//! A stream's number is also the poll's token: the mux never uses one twice, so a late event finds nobody
//! instead of somebody else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_mux::{Connection, Micros, Reason, StreamId};

use crate::reason;
use crate::target::{Fate, Target};

/// Linux alone would try for 127 s; nobody waits that long for an answer, and a descriptor is held meanwhile.
const CONNECT_LIMIT: Micros = Micros(30_000_000);

/// One read takes a frame or a little more, whatever room the mux gives.
const BUFFER: usize = 64 << 10;

pub struct Targets {
    registry: Registry,
    by_stream: HashMap<StreamId, Target>,
    /// In the order of their deadlines, which is the order in which they began. Holds some that ended since.
    connecting: VecDeque<(Micros, StreamId)>,
    /// Broken ones whose last bytes the mux has yet to send.
    lingering: HashSet<StreamId>,
    /// The one place that targets are read into: an idle connection has no buffer.
    buffer: Box<[u8]>,
}

impl Targets {
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            by_stream: HashMap::new(),
            connecting: VecDeque::new(),
            lingering: HashSet::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        }
    }

    /// The client wants a connection: begins it, or refuses at once.
    pub fn open(&mut self, id: StreamId, address: SocketAddr, mux: &mut Connection, now: Micros) {
        match Target::connect(id, address, &self.registry) {
            Ok(target) => {
                self.by_stream.insert(id, target);
                self.connecting.push_back((Micros(now.0 + CONNECT_LIMIT.0), id));
            }
            Err(error) => mux.refuse(id, reason::of(&error)),
        }
    }

    /// The poll has news of one target.
    pub fn on_ready(&mut self, event: &mio::event::Event, mux: &mut Connection) {
        let id = StreamId(event.token().0 as u32);
        self.with(id, |target, buffer| {
            target.note(event);
            target.advance(mux, buffer)
        });
    }

    /// The client sent bytes for a target.
    pub fn on_data(&mut self, id: StreamId, data: Bytes, mux: &mut Connection) {
        self.with(id, |target, buffer| {
            target.push(data);
            target.advance(mux, buffer)
        });
    }

    /// The client will send no more.
    pub fn on_eof(&mut self, id: StreamId, mux: &mut Connection) {
        self.with(id, |target, buffer| {
            target.end();
            target.advance(mux, buffer)
        });
    }

    /// The mux takes bytes of this stream again.
    pub fn on_room(&mut self, id: StreamId, mux: &mut Connection) {
        self.with(id, |target, buffer| target.advance(mux, buffer));
    }

    /// The mux has sent something: perhaps the last bytes of a broken target.
    pub fn on_transmit(&mut self, mux: &mut Connection) {
        for id in std::mem::take(&mut self.lingering) {
            self.with(id, |target, buffer| target.advance(mux, buffer));
        }
    }

    /// The client gave up both directions.
    pub fn abort(&mut self, id: StreamId) {
        if let Some(target) = self.by_stream.remove(&id) {
            target.abort();
        }
    }

    /// When the oldest connection that is still being made has had its time.
    pub fn next_deadline(&mut self) -> Option<Micros> {
        while let Some(&(deadline, id)) = self.connecting.front() {
            if self.by_stream.get(&id).is_some_and(Target::is_connecting) {
                return Some(deadline);
            }
            self.connecting.pop_front();
        }
        None
    }

    /// Gives up on connections that took too long.
    pub fn expire(&mut self, mux: &mut Connection, now: Micros) {
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            if let Some((_, id)) = self.connecting.pop_front() {
                self.by_stream.remove(&id);
                mux.refuse(id, Reason::TimedOut);
            }
        }
    }

    /// Lets one target act; forgets it when that was its end.
    fn with(&mut self, id: StreamId, act: impl FnOnce(&mut Target, &mut [u8]) -> Fate) {
        let Some(target) = self.by_stream.get_mut(&id) else { return };
        match act(target, &mut self.buffer) {
            Fate::Lives => {}
            Fate::Lingers => {
                self.lingering.insert(id);
            }
            Fate::Ended => {
                self.by_stream.remove(&id);
            }
        }
    }
}

impl Drop for Targets {
    /// The tunnel is gone in the middle of these: a target must not take that for the client's proper end.
    fn drop(&mut self) {
        self.by_stream.drain().for_each(|(_, target)| target.abandon());
    }
}

/// The poll's name for a stream.
pub fn token_of(id: StreamId) -> Token {
    Token(id.0 as usize)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use bytes::BytesMut;
    use mio::Poll;
    use ropeway_mux::{Config, Event, Role};

    use super::*;

    const START: Micros = Micros(7);

    #[test]
    fn a_connection_that_takes_too_long_is_refused_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let poll = Poll::new().expect("a poll");
        let mut targets = Targets::new(poll.registry().try_clone().expect("a registry"));
        let (mut client, mut agent) = (new_end(Role::Client), new_end(Role::Agent));
        let id = client.open(address);
        exchange(&mut client, &mut agent);
        assert!(matches!(drain(&mut agent).as_slice(), [Event::Ready, Event::Incoming { .. }]));

        // The poll is never asked, so the connection stays undecided whatever the kernel made of it.
        targets.open(id, address, &mut agent, START);
        let deadline = Micros(START.0 + CONNECT_LIMIT.0);
        assert_eq!(targets.next_deadline(), Some(deadline));
        targets.expire(&mut agent, Micros(deadline.0 - 1));
        assert_eq!(targets.next_deadline(), Some(deadline));
        targets.expire(&mut agent, deadline);
        assert_eq!(targets.next_deadline(), None);

        exchange(&mut client, &mut agent);
        assert_eq!(drain(&mut client), [Event::Ready, Event::Refused { id, reason: Reason::TimedOut }]);
    }

    fn new_end(role: Role) -> Connection {
        Connection::new(Config::new(role))
    }

    fn exchange(client: &mut Connection, agent: &mut Connection) {
        while pass(agent, client) + pass(client, agent) > 0 {}
    }

    fn pass(from: &mut Connection, to: &mut Connection) -> usize {
        let mut bytes = BytesMut::new();
        let length = from.transmit(&mut bytes, BUFFER, START);
        to.receive(&bytes, START).expect("our protocol");
        length
    }

    fn drain(end: &mut Connection) -> Vec<Event> {
        std::iter::from_fn(|| end.next_event()).collect()
    }
}
