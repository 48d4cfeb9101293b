//! All tunnels of this engine that answer for names. Whichever's listener a question reaches, the one with the closest domain
//! answers it: the kernel's rules know servers and ports, and nothing of names.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ropeway_helper_api::{Capture, SessionId};
use tokio::sync::mpsc::UnboundedSender;

use super::{ask::Asker, decide::Decide};
use crate::session::reach::Learned;

/// In the order in which they came.
#[derive(Default)]
pub struct Together(RwLock<Vec<Arc<Member>>>);

/// One tunnel.
#[derive(Clone)]
pub struct Member {
    pub session: SessionId,
    /// Of its profile.
    pub name: String,
    /// Whose questions.
    pub capture: Capture,
    pub decide: Decide,
    pub asker: Asker,
    /// Who wants to know which addresses names have.
    pub learn: UnboundedSender<Learned>,
}

/// Who answers a question.
pub enum Way {
    /// That tunnel's server.
    Tunnel(Arc<Member>),
    /// The network's own name servers, as if there were no tunnel.
    Direct,
}

impl Together {
    /// Comes, or has changed. The first other tunnel that answers for some of the same, with what that is.
    pub fn join(&self, member: Member) -> Option<(String, String)> {
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let place = members.iter().position(|it| it.session == member.session);
        let before = &members[..place.unwrap_or(members.len())];
        let mut same = before.iter().filter(|it| it.capture == member.capture);
        let taken = same.find_map(|it| Some((it.name.clone(), it.decide.shared(&member.decide)?)));
        match place {
            Some(place) => members[place] = Arc::new(member),
            None => members.push(Arc::new(member)),
        }
        taken
    }

    /// Answers for nothing any more.
    pub fn leave(&self, session: SessionId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|it| it.session != session);
    }

    /// Who answers questions of that scope about this name; None when it could not be read.
    pub fn who(&self, capture: Capture, name: Option<&str>) -> Way {
        let members = self.members();
        if name.is_some_and(|name| members.iter().any(|it| it.decide.is_endpoint(name))) {
            return Way::Direct;
        }
        let mut closest: Option<(usize, &Arc<Member>)> = None;
        for member in members.iter().filter(|it| it.capture == capture) {
            let closeness = member.decide.closeness(name);
            if let Some(closeness) = closeness.filter(|it| closest.is_none_or(|(other, _)| *it > other)) {
                closest = Some((closeness, member));
            }
        }
        closest.map_or(Way::Direct, |(_, member)| Way::Tunnel(member.clone()))
    }

    fn members(&self) -> RwLockReadGuard<'_, Vec<Arc<Member>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ropeway_mux::Latency;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::{link::Link, profile::Dns};

    fn member(session: u32, domains: &[&str]) -> Member {
        let domains = domains.iter().map(ToString::to_string).collect();
        Member {
            session: SessionId(session),
            name: format!("profile {session}"),
            capture: Capture::Everyone,
            decide: Decide::new(Dns { domains, ..Dns::default() }, &[format!("bastion{session}.corp")]),
            asker: Asker::new(Link::new(Latency::Adaptive), vec![]),
            learn: unbounded_channel().0,
        }
    }

    fn who(together: &Together, name: &str) -> Option<u32> {
        match together.who(Capture::Everyone, Some(name)) {
            Way::Tunnel(member) => Some(member.session.0),
            Way::Direct => None,
        }
    }

    #[test]
    fn the_tunnel_with_the_closest_domain_answers() {
        let together = Together::default();
        assert_eq!(together.join(member(1, &["corp", "lab"])), None);
        assert_eq!(together.join(member(2, &["db.corp"])), None);
        assert_eq!(together.join(member(3, &[])), None);
        for (name, session) in [
            ("x.corp", Some(1)),
            ("x.db.corp", Some(2)),
            ("example.org", Some(3)),
            ("bastion1.corp", None),
            ("bastion3.corp", None),
        ] {
            assert_eq!(who(&together, name), session, "{name}");
        }
        together.leave(SessionId(2));
        assert_eq!(who(&together, "x.db.corp"), Some(1));
        let other = together.who(Capture::User { uid: 1 }, Some("x.corp"));
        assert!(matches!(other, Way::Direct), "another's questions");
    }

    #[test]
    fn who_comes_second_is_told_and_the_first_keeps_it() {
        let together = Together::default();
        together.join(member(1, &["corp"]));
        let taken = together.join(member(2, &["lab", "corp"]));
        assert_eq!(taken, Some(("profile 1".into(), "corp".into())));
        assert_eq!((who(&together, "x.corp"), who(&together, "x.lab")), (Some(1), Some(2)));
        assert_eq!(together.join(member(1, &["corp"])), None, "who was first still is");
    }
}
