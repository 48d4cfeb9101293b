//! Fans events out to the faces that listen.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::{Notify, mpsc};

use crate::api::{ConnectionsDelta, Event, Interest};

/// Events that a face may be behind. A state change is told within milliseconds, so only a face that hangs gets
/// there; it is told everything anew when it comes back.
const BEHIND: usize = 1024;

/// All subscriptions of an engine.
#[derive(Debug, Default)]
pub struct Hub {
    faces: Mutex<Vec<Face>>,
    watched: Arc<Notify>,
}

/// One face's stream of events; dropping it ends it.
pub struct Subscription {
    events: mpsc::Receiver<Event>,
}

#[derive(Debug)]
struct Face {
    events: mpsc::Sender<Event>,
    interest: Interest,
    /// Has missed something of the live table.
    behind: AtomicBool,
}

impl Hub {
    /// From now on it hears everything. The sender is for what only the new one has to hear.
    pub fn subscribe(&self, interest: Interest) -> (Subscription, mpsc::Sender<Event>) {
        let (sender, events) = mpsc::channel(BEHIND);
        self.faces().push(Face { events: sender.clone(), interest, behind: AtomicBool::new(false) });
        self.watched.notify_one();
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

    /// To those who look at connections; one who missed some gets everything again as soon as it reads.
    pub fn send_connections(&self, event: &Event, snapshot: impl Fn() -> ConnectionsDelta) {
        self.faces().retain(|face| {
            if face.interest.connections {
                face.send_connections(event, &snapshot);
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

    pub fn anybody_watches(&self) -> bool {
        self.faces().iter().any(|face| face.interest.connections && !face.events.is_closed())
    }

    /// Rings when a subscription begins.
    pub fn watched(&self) -> Arc<Notify> {
        self.watched.clone()
    }

    fn faces(&self) -> MutexGuard<'_, Vec<Face>> {
        self.faces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    fn send_connections(&self, event: &Event, snapshot: impl Fn() -> ConnectionsDelta) {
        // half of the room stays free for states
        if self.events.capacity() < BEHIND / 2 {
            return self.behind.store(true, Relaxed);
        }
        let event = if self.behind.swap(false, Relaxed) {
            Event::Connections { delta: snapshot() }
        } else {
            event.clone()
        };
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

    fn connections(snapshot: bool) -> Event {
        Event::Connections { delta: ConnectionsDelta { snapshot, ..ConnectionsDelta::default() } }
    }

    fn whole() -> ConnectionsDelta {
        ConnectionsDelta { snapshot: true, ..ConnectionsDelta::default() }
    }

    #[test]
    fn connections_go_only_to_those_who_look() {
        let hub = Hub::default();
        let mut plain = hub.subscribe(Interest::default()).0;
        assert!(!hub.anybody_watches());
        let mut looking = hub.subscribe(Interest { connections: true }).0;
        assert!(hub.anybody_watches());
        hub.send_connections(&connections(false), whole);
        assert!(plain.events.try_recv().is_err());
        assert_eq!(looking.events.try_recv().unwrap(), connections(false));
        drop(looking);
        assert!(!hub.anybody_watches());
    }

    #[test]
    fn who_fell_behind_gets_the_whole_picture() {
        let hub = Hub::default();
        let mut face = hub.subscribe(Interest { connections: true }).0;
        for _ in 0..2 * BEHIND {
            hub.send_connections(&connections(false), whole);
        }
        while face.events.try_recv().is_ok() {}
        hub.send_connections(&connections(false), whole);
        assert_eq!(face.events.try_recv().unwrap(), connections(true));
    }
}
