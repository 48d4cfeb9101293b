//! Fans events out to the faces that listen.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::{mpsc, watch};

use crate::api::{Event, Interest};

/// Events that a face may be behind. A state change is told within milliseconds, so only a face that hangs gets
/// there; it is told everything anew when it comes back.
const BEHIND: usize = 1024;

/// All subscriptions of an engine.
#[derive(Debug, Default)]
pub struct Hub {
    faces: Mutex<Vec<Face>>,
    watched: watch::Sender<()>,
}

/// One face's stream of events; dropping it ends it.
pub struct Subscription {
    events: mpsc::Receiver<Event>,
}

#[derive(Debug)]
struct Face {
    events: mpsc::Sender<Event>,
    interest: Interest,
    /// Has missed something of a live list.
    behind: [AtomicBool; TOPICS],
}

/// The live lists, which are told only to those who look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Connections,
    Hosts,
}

const TOPICS: usize = 2;

impl Hub {
    /// From now on it hears everything. The sender is for what only the new one has to hear.
    pub fn subscribe(&self, interest: Interest) -> (Subscription, mpsc::Sender<Event>) {
        let (sender, events) = mpsc::channel(BEHIND);
        self.faces().push(Face { events: sender.clone(), interest, behind: Default::default() });
        self.watched.send_replace(());
        (Subscription { events }, sender)
    }

    /// Nobody hears anything any more.
    pub fn close(&self) {
        self.faces().clear();
    }

    pub fn send(&self, event: &Event) {
        self.faces().retain(|face| match face.events.try_send(event.clone()) {
            Ok(()) => true,
            // a face that is a thousand states behind is dead or will ask again
            Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => false,
        });
    }

    /// To those who look at it; one who missed some gets everything again as soon as it reads.
    pub fn send_live(&self, topic: Topic, event: &Event, snapshot: impl Fn() -> Event) {
        self.faces().retain(|face| {
            if face.watches(topic) {
                face.send_live(topic, event, &snapshot);
            }
            !face.events.is_closed()
        });
    }

    /// To those who look; one who is behind does without.
    pub fn send_to_watchers(&self, event: &Event) {
        for face in self.faces().iter().filter(|face| face.interest.connections) {
            if face.events.capacity() >= BEHIND / 2 {
                let _ = face.events.try_send(event.clone());
            }
        }
    }

    pub fn anybody_watches(&self, topic: Topic) -> bool {
        self.faces().iter().any(|face| face.watches(topic) && !face.events.is_closed())
    }

    /// Rings when a subscription begins.
    pub fn watched(&self) -> watch::Receiver<()> {
        self.watched.subscribe()
    }

    fn faces(&self) -> MutexGuard<'_, Vec<Face>> {
        self.faces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    fn watches(&self, topic: Topic) -> bool {
        match topic {
            Topic::Connections => self.interest.connections,
            Topic::Hosts => self.interest.hosts,
        }
    }

    fn send_live(&self, topic: Topic, event: &Event, snapshot: impl Fn() -> Event) {
        let behind = &self.behind[topic as usize];
        // half of the room stays free for states
        if self.events.capacity() < BEHIND / 2 {
            return behind.store(true, Relaxed);
        }
        let event = if behind.swap(false, Relaxed) { snapshot() } else { event.clone() };
        let _ = self.events.try_send(event);
    }
}

impl Subscription {
    /// None when the engine has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectionsDelta;

    fn connections(snapshot: bool) -> Event {
        Event::Connections { delta: ConnectionsDelta { snapshot, ..ConnectionsDelta::default() } }
    }

    fn whole() -> Event {
        connections(true)
    }

    fn looking() -> Interest {
        Interest { connections: true, ..Interest::default() }
    }

    #[test]
    fn connections_go_only_to_those_who_look() {
        let hub = Hub::default();
        let mut plain = hub.subscribe(Interest::default()).0;
        assert!(!hub.anybody_watches(Topic::Connections));
        let mut looking = hub.subscribe(looking()).0;
        assert!(hub.anybody_watches(Topic::Connections) && !hub.anybody_watches(Topic::Hosts));
        hub.send_live(Topic::Connections, &connections(false), whole);
        assert!(plain.events.try_recv().is_err());
        assert_eq!(looking.events.try_recv().unwrap(), connections(false));
        drop(looking);
        assert!(!hub.anybody_watches(Topic::Connections));
    }

    #[test]
    fn who_fell_behind_gets_the_whole_picture() {
        let hub = Hub::default();
        let mut face = hub.subscribe(looking()).0;
        for _ in 0..2 * BEHIND {
            hub.send_live(Topic::Connections, &connections(false), whole);
        }
        while face.events.try_recv().is_ok() {}
        hub.send_live(Topic::Connections, &connections(false), whole);
        assert_eq!(face.events.try_recv().unwrap(), connections(true));
    }
}
