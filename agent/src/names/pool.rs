//! Questions on their way: each in a place of its own, with a socket that the poll knows by that place, and a time by which
//! the next server is asked instead.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use mio::{Registry, Token};
use ropeway_agent_api::{NoAnswer, Question};
use ropeway_mux::Micros;

use super::asked::{Asked, Progress};

/// A server that has not answered by then is taken for silent. Clients themselves ask again after 5 s (resolv.conf(5)), so
/// two servers have their turn before that.
const TURN: Micros = Micros(2_000_000);

pub struct Pool {
    registry: Registry,
    /// The poll's names for our sockets are this and the numbers after it.
    first: usize,
    size: usize,
    places: Vec<Option<Asked>>,
    free: Vec<usize>,
    /// In order, since every turn is as long. Holds some that ended since: the number is the turn's.
    turns: VecDeque<(Micros, usize, u64)>,
    next_turn: u64,
}

/// What became of a question.
pub struct Done {
    pub id: u32,
    pub message: Result<Bytes, NoAnswer>,
}

impl Pool {
    pub fn new(registry: Registry, first: usize, size: usize) -> Self {
        Self { registry, first, size, places: vec![], free: vec![], turns: VecDeque::new(), next_turn: 0 }
    }

    pub fn has_room(&self) -> bool {
        !self.free.is_empty() || self.places.len() < self.size
    }

    /// Some when it is known at once that there is no answer.
    pub fn ask(&mut self, question: Question, servers: Vec<SocketAddr>, now: Micros) -> Option<Done> {
        if servers.is_empty() {
            return Some(Done { id: question.id, message: Err(NoAnswer::NoServer) });
        }
        let Some(place) = self.place() else {
            return Some(Done { id: question.id, message: Err(NoAnswer::Failed) });
        };
        self.places[place] = Some(Asked::new(question, servers));
        self.turn(place, now)
    }

    /// The poll has news of one of our sockets.
    pub fn on_ready(&mut self, token: Token, now: Micros) -> Option<Done> {
        let place = token.0.checked_sub(self.first)?;
        let asked = self.places.get_mut(place)?.as_mut()?;
        match asked.advance() {
            Progress::Waits => None,
            Progress::Answered(message) => {
                let id = asked.id();
                self.end(place);
                Some(Done { id, message: Ok(message) })
            }
            Progress::Failed => self.turn(place, now),
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

    /// Those that nobody answered in time.
    pub fn expire(&mut self, now: Micros) -> Vec<Done> {
        let mut done = vec![];
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            if let Some((_, place, _)) = self.turns.pop_front() {
                done.extend(self.turn(place, now));
            }
        }
        done
    }

    /// The next server's turn; the end when there is none.
    fn turn(&mut self, place: usize, now: Micros) -> Option<Done> {
        let asked = self.places[place].as_mut()?;
        self.next_turn += 1;
        asked.turn = self.next_turn;
        while asked.has_more() {
            if asked.next_server(&self.registry, Token(self.first + place)).is_ok() {
                self.turns.push_back((Micros(now.0 + TURN.0), place, self.next_turn));
                return None;
            }
        }
        let (id, why) = (asked.id(), asked.why());
        self.end(place);
        Some(Done { id, message: Err(why) })
    }

    fn place(&mut self) -> Option<usize> {
        self.free.pop().or_else(|| {
            (self.places.len() < self.size).then(|| {
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
