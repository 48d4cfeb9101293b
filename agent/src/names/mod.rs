//! Questions to name servers, asked from here: the engine's messages go out whole and come back whole.
//!
//! Each question has a socket of its own, so that the kernel chooses a port that nobody can guess, and an answer is taken only
//! from who was asked, with the question in it. A server that is silent costs its turn and then the next one is asked.

mod asked;
pub mod pool;
pub mod resolvers;

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_agent_api::{Answer, Question, flow};
use ropeway_mux::{Connection, Micros};

use pool::{Done, Pool};
use resolvers::Resolvers;

/// Questions at one time. At 5 000 a second and 50 ms for an answer there are 250; each holds a descriptor.
const PLACES: usize = 1024;

/// The poll's names for our sockets are the highest numbers below the pipe's: streams count up from 1.
pub const FIRST: usize = usize::MAX - 2 - PLACES;

pub struct Names {
    pool: Pool,
    resolvers: Resolvers,
}

impl Names {
    pub fn new(registry: Registry) -> Self {
        Self { pool: Pool::new(registry, FIRST, PLACES), resolvers: Resolvers::of_this_machine() }
    }

    /// Whether the poll's token is one of ours.
    pub fn owns(token: Token) -> bool {
        (FIRST..FIRST + PLACES).contains(&token.0)
    }

    /// Domains that this machine's programs try for short names.
    pub fn search(&mut self) -> Vec<String> {
        self.resolvers.search().to_vec()
    }

    pub fn ask(&mut self, question: Bytes, mux: &mut Connection, now: Micros) {
        let Ok(question) = Question::decode(question) else { return };
        let servers = question.to.map_or_else(|| self.resolvers.servers().to_vec(), |to| vec![to]);
        reply(self.pool.ask(question, servers, now), mux, now);
    }

    /// The poll has news of one of our sockets.
    pub fn on_ready(&mut self, token: Token, mux: &mut Connection, now: Micros) {
        reply(self.pool.on_ready(token, now), mux, now);
    }

    pub fn next_deadline(&mut self) -> Option<Micros> {
        self.pool.next_deadline()
    }

    pub fn expire(&mut self, mux: &mut Connection, now: Micros) {
        reply(self.pool.expire(now), mux, now);
    }
}

fn reply(done: impl IntoIterator<Item = Done>, mux: &mut Connection, now: Micros) {
    for Done { id, message } in done {
        // too large for a datagram it cannot be: DNS has 16 bits for its length
        mux.send_datagram(flow::NAMES, Answer { id, message }.encode(), now);
    }
}
