//! Which program's address a flow's number stands for. Pure: time is an argument.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::packet::Kind;

/// As many as the agent keeps.
const MOST: usize = 1024;

/// As long as the agent keeps a conversation: who is silent longer begins anew there, from another port.
const IDLE: Duration = Duration::from_mins(3);

/// A program's own end of its datagrams, whoever the other end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Program {
    pub kind: Kind,
    /// Of an echo the port is the identifier.
    pub at: SocketAddr,
}

/// All flows; `T` is what is kept with each.
pub struct Flows<T> {
    next: u32,
    ids: HashMap<Program, u32>,
    by_id: HashMap<u32, Flow<T>>,
}

struct Flow<T> {
    program: Program,
    used: Instant,
    kept: T,
}

impl<T> Flows<T> {
    pub fn new() -> Self {
        Self { next: 0, ids: HashMap::new(), by_id: HashMap::new() }
    }

    /// The program's number, a new one where it has none, and what is kept with it.
    pub fn of(&mut self, program: Program, now: Instant, keep: impl FnOnce() -> T) -> (u32, &mut T) {
        if !self.ids.contains_key(&program) {
            self.make_room();
            self.next = self.next.wrapping_add(1);
            self.ids.insert(program, self.next);
        }
        let id = self.ids[&program];
        let flow = self.by_id.entry(id).or_insert_with(|| Flow { program, used: now, kept: keep() });
        flow.used = now;
        (id, &mut flow.kept)
    }

    /// Whose number it is.
    pub fn find(&mut self, id: u32, now: Instant) -> Option<(Program, &mut T)> {
        let flow = self.by_id.get_mut(&id)?;
        flow.used = now;
        Some((flow.program, &mut flow.kept))
    }

    /// Forgets who was silent too long.
    pub fn expire(&mut self, now: Instant) {
        self.by_id.retain(|_, flow| now.saturating_duration_since(flow.used) < IDLE);
        let Self { ids, by_id, .. } = self;
        ids.retain(|_, id| by_id.contains_key(id));
    }

    /// Gives up the one that was silent longest.
    fn make_room(&mut self) {
        if self.by_id.len() < MOST {
            return;
        }
        let oldest = self
            .by_id
            .iter()
            .min_by_key(|(id, flow)| (flow.used, **id))
            .map(|(id, flow)| (*id, flow.program));
        if let Some((id, program)) = oldest {
            self.by_id.remove(&id);
            self.ids.remove(&program);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(port: u16) -> Program {
        Program { kind: Kind::Udp, at: SocketAddr::from(([10, 0, 0, 1], port)) }
    }

    #[test]
    fn a_program_keeps_its_number_and_an_echo_has_another() {
        let (mut flows, now) = (Flows::new(), Instant::now());
        let first = flows.of(program(1), now, || ()).0;
        assert_ne!(flows.of(program(2), now, || ()).0, first);
        assert_ne!(flows.of(Program { kind: Kind::Echo, ..program(1) }, now, || ()).0, first);
        assert_eq!(flows.of(program(1), now, || ()).0, first);
        assert_eq!(flows.find(first, now).unwrap().0, program(1));
        assert!(flows.find(77, now).is_none());
    }

    #[test]
    fn who_is_silent_is_forgotten_and_who_hears_is_not() {
        let (mut flows, start) = (Flows::new(), Instant::now());
        let (silent, hears) = (flows.of(program(1), start, || ()).0, flows.of(program(2), start, || ()).0);
        flows.find(hears, start + IDLE / 2);
        flows.expire(start + IDLE);
        assert!(flows.find(silent, start).is_none() && flows.find(hears, start).is_some());
        assert_ne!(flows.of(program(1), start, || ()).0, silent, "a new one");
    }

    #[test]
    fn of_too_many_the_longest_silent_one_is_given_up() {
        let (mut flows, start) = (Flows::new(), Instant::now());
        let ids: Vec<u32> = (0..=MOST as u16)
            .map(|port| flows.of(program(port), start + Duration::from_millis(port.into()), || ()).0)
            .collect();
        assert!(flows.find(ids[0], start).is_none() && flows.find(ids[1], start).is_some());
        assert_eq!((flows.by_id.len(), flows.ids.len()), (MOST, MOST));
    }
}
