//! Names below a domain: which addresses they have is learned from the answers that pass through. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::effective::Side;
use crate::{
    names::message::Found,
    subnet::{Named, Subnet},
};

/// Programs keep addresses beyond their life: browsers for a minute, some for as long as they run. A route that stays too
/// long costs nothing; one that goes too early sends a connection the wrong way.
const KEPT: Duration = Duration::from_hours(1);

/// Addresses of one rule; a domain that has more has a network, which can be typed.
const MOST: usize = 4096;

/// One rule and what it has learned.
#[derive(Debug)]
pub struct Wild {
    pub side: Side,
    pub typed: String,
    named: Named,
    /// Until when.
    learned: BTreeMap<Subnet, Instant>,
}

impl Wild {
    pub fn new(side: Side, typed: String, named: Named) -> Self {
        Self { side, typed, named, learned: BTreeMap::new() }
    }

    /// Whether there was an address that is new.
    pub fn learn(&mut self, found: &[Found], now: Instant) -> bool {
        let mut news = false;
        for found in found.iter().filter(|found| self.named.matches(&found.name)) {
            let subnet = self.named.subnet(found.address);
            let known = self.learned.contains_key(&subnet);
            if known || self.learned.len() < MOST {
                self.learned.insert(subnet, now + found.life.max(KEPT));
                news |= !known;
            }
        }
        news
    }

    /// Whether something was forgotten.
    pub fn forget(&mut self, now: Instant) -> bool {
        let before = self.learned.len();
        self.learned.retain(|_, until| *until > now);
        self.learned.len() < before
    }

    pub fn subnets(&self) -> BTreeSet<Subnet> {
        self.learned.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subnet::{self, Entry};

    #[test]
    fn addresses_are_learned_for_an_hour_at_least() {
        let Ok(Entry::Name(named)) = subnet::parse_entry("*.corp.example:443") else { panic!("a name") };
        let mut wild = Wild::new(Side::Through, "*.corp.example:443".into(), named);
        let now = Instant::now();
        let found = |name: &str, address: &str| Found {
            name: name.into(),
            address: address.parse().unwrap(),
            life: Duration::from_secs(5),
        };
        assert!(
            wild.learn(&[found("db.corp.example", "10.0.0.5"), found("other.example", "192.0.2.1")], now)
        );
        assert!(!wild.learn(&[found("db.corp.example", "10.0.0.5")], now + Duration::from_mins(1)));
        let shown: Vec<String> = wild.subnets().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.5:443"]);
        assert!(!wild.forget(now + KEPT), "it was seen again a minute later");
        assert!(wild.forget(now + KEPT + Duration::from_mins(1)));
        assert!(wild.subnets().is_empty());
    }
}
