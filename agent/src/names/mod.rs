//! Questions to name servers, asked from here: the engine's messages go out whole and come back whole.
//!
//! Each question has a socket of its own, so that the kernel chooses a port that nobody can guess, and an answer is taken only
//! from who was asked, with the question in it. A server that is silent costs its turn and then the next one is asked.

mod asked;
mod message;
pub mod resolvers;

use std::collections::VecDeque;

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_agent_api::{Answer, NoAnswer, Question, flow};
use ropeway_mux::{Connection, Micros};

use asked::{Asked, Progress};
use resolvers::Resolvers;

/// Questions at one time. At 5 000 a second and 50 ms for an answer there are 250; each holds a descriptor.
const PLACES: usize = 1024;

/// A server that has not answered by then is taken for silent. Clients themselves ask again after 5 s (resolv.conf(5)), so
/// two servers have their turn before that.
const TURN: Micros = Micros(2_000_000);

pub struct Names {
    registry: Registry,
    places: Vec<Option<Asked>>,
    free: Vec<usize>,
    /// In order, since every turn is as long. Holds some that ended since: the number is the turn's.
    turns: VecDeque<(Micros, usize, u64)>,
    next_turn: u64,
    resolvers: Resolvers,
}

impl Names {
    /// The poll's names for our sockets are the highest numbers below the pipe's: streams count up from 1.
    pub const FIRST: usize = usize::MAX - 2 - PLACES;

    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            places: vec![],
            free: vec![],
            turns: VecDeque::new(),
            next_turn: 0,
            resolvers: Resolvers::new("/etc/resolv.conf".into()),
        }
    }

    /// Whether the poll's token is one of ours.
    pub fn owns(token: Token) -> bool {
        (Self::FIRST..Self::FIRST + PLACES).contains(&token.0)
    }

    /// Domains that this machine's programs try for short names.
    pub fn search(&mut self) -> Vec<String> {
        self.resolvers.search().to_vec()
    }

    pub fn ask(&mut self, question: Bytes, mux: &mut Connection, now: Micros) {
        let Ok(question) = Question::decode(question) else { return };
        let servers = question.to.map_or_else(|| self.resolvers.servers().to_vec(), |to| vec![to]);
        if servers.is_empty() {
            return reply(question.id, Err(NoAnswer::NoServer), mux, now);
        }
        let Some(place) = self.place() else { return reply(question.id, Err(NoAnswer::Failed), mux, now) };
        let asked = Asked::new(question, servers);
        self.places[place] = Some(asked);
        self.turn(place, mux, now);
    }

    /// The poll has news of one of our sockets.
    pub fn on_ready(&mut self, token: Token, mux: &mut Connection, now: Micros) {
        let place = token.0 - Self::FIRST;
        let Some(asked) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        match asked.advance() {
            Progress::Waits => {}
            Progress::Answered(message) => {
                let id = asked.id();
                self.end(place);
                reply(id, Ok(message), mux, now);
            }
            Progress::Failed => self.turn(place, mux, now),
        }
    }

    pub fn next_deadline(&mut self) -> Option<Micros> {
        while let Some(&(deadline, place, turn)) = self.turns.front() {
            if self.places[place].as_ref().is_some_and(|asked| asked.turn == turn) {
                return Some(deadline);
            }
            self.turns.pop_front();
        }
        None
    }

    pub fn expire(&mut self, mux: &mut Connection, now: Micros) {
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            if let Some((_, place, _)) = self.turns.pop_front() {
                self.turn(place, mux, now);
            }
        }
    }

    /// The next server's turn; the end when there is none.
    fn turn(&mut self, place: usize, mux: &mut Connection, now: Micros) {
        let Some(asked) = self.places[place].as_mut() else { return };
        self.next_turn += 1;
        asked.turn = self.next_turn;
        while asked.has_more() {
            if asked.next_server(&self.registry, Token(Self::FIRST + place)).is_ok() {
                self.turns.push_back((Micros(now.0 + TURN.0), place, self.next_turn));
                return;
            }
        }
        let (id, why) = (asked.id(), asked.why());
        self.end(place);
        reply(id, Err(why), mux, now);
    }

    fn place(&mut self) -> Option<usize> {
        self.free.pop().or_else(|| {
            (self.places.len() < PLACES).then(|| {
                self.places.push(None);
                self.places.len() - 1
            })
        })
    }

    fn end(&mut self, place: usize) {
        self.places[place] = None;
        self.free.push(place);
    }
}

fn reply(id: u32, message: Result<Bytes, NoAnswer>, mux: &mut Connection, now: Micros) {
    // too large for a datagram it cannot be: DNS has 16 bits for its length
    mux.send_datagram(flow::NAMES, Answer { id, message }.encode(), now);
}
