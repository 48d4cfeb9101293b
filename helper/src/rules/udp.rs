//! Which datagrams go to the device of a session. Routing decides, not the firewall: the longest prefix wins, a network
//! that is left out is a route that ends the search in this table (`throw`), and only UDP and echo are sent to look at it.

use std::{collections::BTreeMap, os::fd::OwnedFd, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ropeway_helper_api::{Capture, Grant, limit};

use super::{
    Firewall, Key, LoadError, SessionPlan,
    script::{Match, Rule, Verdict},
};

/// What the names of all our devices begin with.
pub const ANY: &str = "ropeway";

/// What those begin with whose users have the smaller grant.
pub const OWN: &str = "ropeway-own";

/// Ways of each of the two kinds. With the most that a user may have, two users find room.
const PLACES: u8 = 8;

/// What the kernel is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The smaller one is asked first; no other way has it.
    pub place: u8,
    /// Only datagrams of this user.
    pub user: Option<u32>,
    /// Its user has the smaller grant.
    pub own: bool,
    /// Through the device, or not.
    pub routes: BTreeMap<IpNet, bool>,
}

/// What the kernel made.
#[derive(Debug)]
pub struct Device {
    pub name: String,
    pub index: u32,
    /// Nobody else has one: the device ends with it.
    pub descriptor: OwnedFd,
}

/// The ways of all sessions.
#[derive(Default)]
pub struct Ways(Vec<Entry>);

struct Entry {
    key: Key,
    uid: u32,
    way: Way,
    /// The device's number.
    device: u32,
}

impl Ways {
    /// In the place of what the session had.
    pub fn open(
        &mut self,
        key: Key,
        session: &SessionPlan,
        firewall: &mut impl Firewall,
    ) -> Result<Device, LoadError> {
        self.close(|entry| entry.key == key, firewall);
        if self.0.iter().filter(|entry| entry.uid == session.uid).count() >= limit::UDP_DEVICES {
            return Err(LoadError::TooManyDevices);
        }
        let user = user(session)?;
        let way = Way {
            own: session.grant == Grant::Own,
            place: self.free(user).ok_or(LoadError::TooManyDevices)?,
            user,
            routes: routes(session),
        };
        let device = firewall.open_udp(&way)?;
        self.0.push(Entry { key, uid: session.uid, way, device: device.index });
        Ok(device)
    }

    /// Before the rules of sessions that are not there any more go: a device must not outlive its [`guard`].
    pub fn leave(&mut self, sessions: &[(Key, Arc<SessionPlan>)], firewall: &mut impl Firewall) {
        self.close(|entry| sessions.iter().all(|(key, _)| *key != entry.key), firewall);
    }

    /// These are the sessions now.
    pub fn follow(&mut self, sessions: &[(Key, Arc<SessionPlan>)], firewall: &mut impl Firewall) {
        let now = |key: Key| sessions.iter().find(|(other, _)| *other == key).map(|(_, session)| session);
        // another user's traffic needs another place
        let same = |entry: &Entry| now(entry.key).is_some_and(|it| user(it).ok() == Some(entry.way.user));
        self.close(|entry| !same(entry), firewall);
        let mut failed = vec![];
        for entry in &mut self.0 {
            let Some(session) = now(entry.key) else { continue };
            let routes = routes(session);
            if routes == entry.way.routes {
                continue;
            }
            entry.way.routes = routes;
            if let Err(error) = firewall.change_udp(&entry.way, entry.device) {
                tracing::warn!(%error, "UDP goes its usual way from now on");
                failed.push(entry.key);
            }
        }
        self.close(|entry| failed.contains(&entry.key), firewall);
    }

    /// What the kernel does not take away is taken away by the next start.
    fn close(&mut self, which: impl Fn(&Entry) -> bool, firewall: &mut impl Firewall) {
        self.0.retain(|entry| {
            let stays = !which(entry);
            if !stays && let Err(error) = firewall.close_udp(&entry.way, entry.device) {
                tracing::error!(%error, "a device for UDP could not be removed");
            }
            stays
        });
    }

    /// Those of one user come before those of everybody, as everywhere.
    fn free(&self, user: Option<u32>) -> Option<u8> {
        let places = if user.is_some() { 0..PLACES } else { PLACES..2 * PLACES };
        places.into_iter().find(|place| self.0.iter().all(|entry| entry.way.place != *place))
    }
}

/// Who has a device can put any packet into the kernel, as if it came from anywhere. Without the grant for the whole machine
/// only answers to what was asked from here are let in, and nothing of TCP, which no device carries.
pub fn guard() -> Vec<Rule> {
    let answers = Rule::returning([Match::FromOwnDevice, Match::NotTcp, Match::Reply]);
    vec![answers, Rule::new([Match::FromOwnDevice], Verdict::Drop)]
}

/// Routing knows users, but neither groups nor cgroups.
fn user(session: &SessionPlan) -> Result<Option<u32>, LoadError> {
    match session.plan.capture {
        Capture::Everyone => Ok(None),
        Capture::User { uid } => Ok(Some(uid)),
        Capture::Group { .. } | Capture::Cgroup => {
            Err(LoadError::Unsupported("UDP of a group's or a cgroup's programs alone".into()))
        }
    }
}

/// A route with ports is about TCP: routing knows none.
fn routes(session: &SessionPlan) -> BTreeMap<IpNet, bool> {
    let whole = |routes: &[ropeway_helper_api::Route], through| {
        routes
            .iter()
            .filter(|route| route.ports.is_all())
            .map(move |route| (route.net, through))
            .collect::<Vec<_>>()
    };
    let include = whole(&session.plan.include, true);
    let exclude = whole(&session.plan.exclude, false);
    // at a tie an exclusion wins
    include.into_iter().chain(exclude).chain(never().map(|net| (net, false))).collect()
}

/// What means something else on every link, also where everything goes through: link-local, multicast, the limited
/// broadcast (RFC 3927, RFC 5771, RFC 919, RFC 4291).
fn never() -> impl Iterator<Item = IpNet> {
    let v4 = [([169, 254, 0, 0], 16), ([224, 0, 0, 0], 4), ([255; 4], 32)];
    let v6 = [([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)];
    let v4 = v4.into_iter().map(|(ip, width)| IpNet::V4(Ipv4Net::new_assert(ip.into(), width)));
    v4.chain(v6.into_iter().map(|(ip, width)| IpNet::V6(Ipv6Net::new_assert(ip.into(), width))))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs::File};

    use ropeway_helper_api::{ListenerPorts, Plan, Ports, Reject, Route, SessionId};

    use super::*;
    use crate::rules::{ClientId, FirewallError, Script, Table};

    /// Which places are taken, and the last way that was asked for.
    #[derive(Default)]
    struct Fake {
        places: BTreeSet<u8>,
        last: Option<Way>,
        refuses_changes: bool,
    }

    impl Firewall for Fake {
        fn replace(&mut self, _: &Script) -> Result<(), FirewallError> {
            Ok(())
        }

        fn remove(&mut self, _: Table) -> Result<(), FirewallError> {
            Ok(())
        }

        fn open_udp(&mut self, way: &Way) -> Result<Device, FirewallError> {
            assert!(self.places.insert(way.place), "{} is taken", way.place);
            self.last = Some(way.clone());
            let descriptor = File::open("/dev/null").unwrap().into();
            Ok(Device { name: "ropeway0".into(), index: way.place.into(), descriptor })
        }

        fn change_udp(&mut self, way: &Way, _: u32) -> Result<(), FirewallError> {
            self.last = Some(way.clone());
            if self.refuses_changes { Err(FirewallError::Refused("no".into())) } else { Ok(()) }
        }

        fn close_udp(&mut self, way: &Way, device: u32) -> Result<(), FirewallError> {
            assert_eq!(u32::from(way.place), device);
            assert!(self.places.remove(&way.place));
            Ok(())
        }
    }

    fn key(session: u32) -> Key {
        Key { client: ClientId(1), session: SessionId(session) }
    }

    fn session(uid: u32, capture: Capture, include: &[&str], exclude: &[&str]) -> SessionPlan {
        let routes = |nets: &[&str]| nets.iter().map(|net| net.parse::<IpNet>().unwrap().into()).collect();
        let plan = Plan {
            include: routes(include),
            exclude: routes(exclude),
            listeners: ListenerPorts { v4: None, v6: None },
            capture,
            endpoints: vec![],
            direct_cgroup: false,
            dns: None,
            forwarded: vec![],
            method: None,
            reject: Reject::default(),
            meter: false,
        };
        SessionPlan { plan, uid, grant: Grant::All, direct_cgroup: None, captured_cgroup: None, meter: None }
    }

    #[test]
    fn an_exclusion_wins_a_tie_and_ports_and_links_are_nobodys() {
        let mut wish =
            session(1, Capture::Everyone, &["10.0.0.0/8", "10.1.0.0/16", "fe80::/10"], &["10.1.0.0/16"]);
        wish.plan.include.push(Route {
            ports: Ports { first: 80, last: 80 },
            ..Route::from("172.16.0.0/12".parse::<IpNet>().unwrap())
        });
        let routes = routes(&wish);
        let through: Vec<_> =
            routes.iter().filter(|(_, through)| **through).map(|(net, _)| net.to_string()).collect();
        assert_eq!(through, ["10.0.0.0/8"]);
        assert!(!routes[&"10.1.0.0/16".parse::<IpNet>().unwrap()]);
        assert!(!routes[&"ff00::/8".parse::<IpNet>().unwrap()]);
    }

    #[test]
    fn a_user_comes_before_everybody_and_has_only_so_many() {
        let (mut ways, mut kernel) = (Ways::default(), Fake::default());
        let one = |capture| session(1, capture, &["10.0.0.0/8"], &[]);
        ways.open(key(1), &one(Capture::Everyone), &mut kernel).unwrap();
        let all = kernel.last.clone().unwrap();
        ways.open(key(2), &one(Capture::User { uid: 1 }), &mut kernel).unwrap();
        let of_user = kernel.last.clone().unwrap();
        assert!(of_user.place < all.place);
        assert_eq!((all.user, of_user.user), (None, Some(1)));
        for number in 3..=limit::UDP_DEVICES as u32 {
            ways.open(key(number), &one(Capture::Everyone), &mut kernel).unwrap();
        }
        let more = ways.open(key(9), &one(Capture::Everyone), &mut kernel).unwrap_err();
        assert_eq!(more, LoadError::TooManyDevices);
        ways.open(key(1), &one(Capture::Everyone), &mut kernel).expect("in the place of its first");
        ways.open(key(9), &session(2, Capture::Everyone, &[], &[]), &mut kernel).expect("another user's");
    }

    #[test]
    fn ways_follow_their_sessions() {
        let (mut ways, mut kernel) = (Ways::default(), Fake::default());
        let first = session(1, Capture::Everyone, &["10.0.0.0/8"], &[]);
        ways.open(key(1), &first, &mut kernel).unwrap();
        let wider = Arc::new(session(1, Capture::Everyone, &["10.0.0.0/7"], &[]));
        ways.follow(&[(key(1), wider.clone())], &mut kernel);
        assert!(kernel.last.as_ref().unwrap().routes.contains_key(&"10.0.0.0/7".parse::<IpNet>().unwrap()));
        ways.leave(&[(key(1), wider.clone())], &mut kernel);
        assert_eq!(kernel.places.len(), 1);
        ways.follow(&[(key(1), Arc::new(session(1, Capture::User { uid: 1 }, &[], &[])))], &mut kernel);
        assert!(kernel.places.is_empty(), "another user's traffic needs another device");
        ways.open(key(1), &first, &mut kernel).unwrap();
        kernel.refuses_changes = true;
        ways.follow(&[(key(1), wider)], &mut kernel);
        assert!(kernel.places.is_empty(), "rather none than a wrong one");
    }
}
