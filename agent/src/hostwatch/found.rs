//! What was found, and what of it is still to be told.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ropeway_agent_api::{FoundHost, Source};

use super::cache::Cached;
use super::name;

/// Names that are kept, as many as the client's computer takes into its hosts file.
pub const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub struct Found {
    all: HashMap<(String, IpAddr), Entry>,
    untold: VecDeque<(String, IpAddr)>,
    /// Something is worth remembering that was not.
    changed: bool,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    /// Seconds since 1970.
    seen: u64,
    /// Seen in this round, and so queued or told.
    fresh: bool,
}

impl Found {
    /// What is seen from now on is told again.
    pub fn begin_round(&mut self) {
        self.all.values_mut().for_each(|entry| entry.fresh = false);
    }

    /// `now` in seconds since 1970. A better source counts from then on.
    pub fn note(&mut self, name: &str, address: IpAddr, source: Source, now: u64) {
        if !name::is_somewhere(address) {
            return;
        }
        let key = (name.to_owned(), address);
        let full = self.all.len() >= MOST;
        match self.all.get_mut(&key) {
            None if full => return,
            None => drop(self.all.insert(key.clone(), Entry { source, seen: now, fresh: true })),
            Some(entry) => {
                let news = !entry.fresh || source < entry.source;
                *entry = Entry { source: source.min(entry.source), seen: now, fresh: true };
                if !news {
                    return;
                }
            }
        }
        self.changed = true;
        self.untold.push_back(key);
    }

    pub fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// The next ones to tell; [`Found::told`] takes them away.
    pub fn untold(&self, most: usize) -> Vec<FoundHost> {
        let host = |key: &(String, IpAddr)| {
            let source = self.all.get(key).map_or(Source::Cache, |entry| entry.source);
            FoundHost { name: key.0.clone(), address: key.1, source }
        };
        self.untold.iter().take(most).map(host).collect()
    }

    pub fn told(&mut self, count: usize) {
        self.untold.drain(..count.min(self.untold.len()));
        if self.untold.is_empty() {
            self.untold = VecDeque::new();
        }
    }

    /// What is worth remembering, when that has changed since the last call.
    pub fn take_news(&mut self) -> Option<Vec<Cached>> {
        let all = || self.all.iter();
        std::mem::take(&mut self.changed).then(|| {
            all()
                .map(|((name, address), entry)| Cached {
                    name: name.clone(),
                    address: *address,
                    seen: entry.seen,
                })
                .collect()
        })
    }

    /// What an earlier visit found; that it was seen then stays so.
    pub fn recall(&mut self, cached: Vec<Cached>) {
        for Cached { name, address, seen } in cached {
            self.note(&name, address, Source::Cache, seen);
        }
        self.changed = false;
    }

    /// Every name with the best of its sources.
    pub fn names(&self) -> HashMap<String, Source> {
        let mut names = HashMap::new();
        for ((name, _), Entry { source, .. }) in &self.all {
            let best = names.entry(name.clone()).or_insert(*source);
            *best = *source.min(best);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn told(found: &mut Found) -> Vec<(String, Source)> {
        let hosts = found.untold(100);
        found.told(hosts.len());
        hosts.into_iter().map(|host| (host.name, host.source)).collect()
    }

    #[test]
    fn a_name_is_told_once_in_a_round_and_again_from_a_better_source() {
        let mut found = Found::default();
        found.recall(vec![Cached { name: "db".into(), address: address(5), seen: 1 }]);
        assert_eq!(found.take_news(), None, "that is remembered already");
        assert_eq!(told(&mut found), [("db".into(), Source::Cache)]);
        for _ in 0..2 {
            found.note("db", address(5), Source::ReverseDns, 2);
        }
        assert_eq!(told(&mut found), [("db".into(), Source::ReverseDns)]);
        found.note("db", address(5), Source::NetBios, 3);
        assert_eq!(told(&mut found), []);
        found.begin_round();
        found.note("db", address(5), Source::NetBios, 4);
        assert_eq!(told(&mut found), [("db".into(), Source::ReverseDns)]);
        assert_eq!(found.take_news().expect("it changed")[0].seen, 4);
        assert_eq!(found.take_news(), None);
    }

    #[test]
    fn what_is_nowhere_or_too_much_is_not_kept() {
        let mut found = Found::default();
        found.note("me", IpAddr::from([127, 0, 1, 1]), Source::HostsFile, 1);
        for number in 0..2 * MOST as u32 {
            found.note(
                &format!("n{number}"),
                IpAddr::V4((0x0a00_0000 + number).into()),
                Source::ReverseDns,
                1,
            );
        }
        assert_eq!((found.all.len(), found.untold.len()), (MOST, MOST));
    }
}
