//! All connections of this agent, by their stream, and the time limit of those that are being made.
//!
//! A stream's number is also the poll's token: the mux never uses one twice, so a late event finds nobody
//! instead of somebody else.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use mio::{Registry, Token};
use ropeway_mux::{Connection, Micros, Reason, Source, StreamId, Supply};

use crate::reason;
use crate::target::{Fate, Target};

/// Linux alone would try for 127 s; nobody waits that long for an answer, and a descriptor is held meanwhile.
const CONNECT_LIMIT: Micros = Micros(30_000_000);

/// Places in the list of those that are being made, beyond two for each connection, before it is looked through: 4 KiB.
const KEPT: usize = 256;

pub struct Targets {
    registry: Registry,
    by_stream: HashMap<StreamId, Target>,
    /// In the order of their deadlines, which is the order in which they began. Holds some that ended since.
    connecting: VecDeque<(Micros, StreamId)>,
}

impl Targets {
    pub fn new(registry: Registry) -> Self {
        Self { registry, by_stream: HashMap::new(), connecting: VecDeque::new() }
    }

    /// The client wants a connection: begins it, or refuses at once.
    pub fn open(&mut self, id: StreamId, address: SocketAddr, mux: &mut Connection, now: Micros) {
        match Target::connect(id, address, &self.registry) {
            Ok(target) => {
                self.by_stream.insert(id, target);
                self.forget_decided();
                self.connecting.push_back((Micros(now.0 + CONNECT_LIMIT.0), id));
            }
            Err(error) => mux.refuse(id, reason::of(&error)),
        }
    }

    /// The poll has news of one target.
    pub fn on_ready(&mut self, event: &mio::event::Event, mux: &mut Connection, now: Micros) {
        self.with(StreamId(event.token().0 as u32), |target| {
            target.note(event);
            target.advance(mux, now)
        });
    }

    /// The client sent bytes for a target.
    pub fn on_data(&mut self, id: StreamId, data: &[u8], mux: &mut Connection, now: Micros) {
        self.with(id, |target| target.push(data, mux, now));
    }

    /// The client will send no more.
    pub fn on_eof(&mut self, id: StreamId, mux: &mut Connection, now: Micros) {
        self.with(id, |target| target.end(mux, now));
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

    /// One silent address at the front keeps those behind it in the list for its 30 s, decided or not: a port scan makes
    /// thousands a second.
    fn forget_decided(&mut self) {
        if self.connecting.len() >= 2 * self.by_stream.len() + KEPT {
            let by_stream = &self.by_stream;
            self.connecting.retain(|(_, id)| by_stream.get(id).is_some_and(Target::is_connecting));
        }
    }

    /// Lets one target act; forgets it when that was its end.
    fn with(&mut self, id: StreamId, act: impl FnOnce(&mut Target) -> Fate) {
        if self.by_stream.get_mut(&id).is_some_and(|target| act(target) == Fate::Ended) {
            self.by_stream.remove(&id);
        }
    }
}

/// What the mux sends comes straight from the targets' sockets.
impl Source for Targets {
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply {
        let Some(target) = self.by_stream.get_mut(&id) else { return Supply::Empty };
        let supply = target.read(buffer);
        if target.is_over() {
            self.by_stream.remove(&id);
        }
        supply
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
        let id = client.open(address, START).expect("there is room");
        assert_eq!(
            exchange(&mut client, &mut agent)[1],
            [Event::Ready, Event::Incoming { id, target: address }]
        );

        // The poll is never asked, so the connection stays undecided whatever the kernel made of it.
        targets.open(id, address, &mut agent, START);
        let deadline = Micros(START.0 + CONNECT_LIMIT.0);
        assert_eq!(targets.next_deadline(), Some(deadline));
        targets.expire(&mut agent, Micros(deadline.0 - 1));
        assert_eq!(targets.next_deadline(), Some(deadline));
        targets.expire(&mut agent, deadline);
        assert_eq!(targets.next_deadline(), None);

        let refused = Event::Refused { id, reason: Reason::TimedOut };
        assert_eq!(exchange(&mut client, &mut agent)[0], [refused]);
    }

    fn new_end(role: Role) -> Connection {
        Connection::new(Config::new(role))
    }

    /// What each end hears.
    fn exchange(client: &mut Connection, agent: &mut Connection) -> [Vec<Event<'static>>; 2] {
        let mut heard = [vec![], vec![]];
        while pass(agent, client, &mut heard[0]) + pass(client, agent, &mut heard[1]) > 0 {}
        heard
    }

    fn pass(from: &mut Connection, to: &mut Connection, heard: &mut Vec<Event<'static>>) -> usize {
        let mut space = [0; 1 << 10];
        let length = from.transmit(&mut space, START, &mut Nobody);
        let mut bytes = &space[..length];
        while let Some(event) = to.receive(&mut bytes, START).expect("our protocol") {
            heard.push(match event {
                Event::Ready => Event::Ready,
                Event::Incoming { id, target } => Event::Incoming { id, target },
                Event::Refused { id, reason } => Event::Refused { id, reason },
                other => panic!("{other:?}"),
            });
        }
        length
    }

    struct Nobody;

    impl Source for Nobody {
        fn read(&mut self, _: StreamId, _: &mut [u8]) -> Supply {
            Supply::Empty
        }
    }
}
