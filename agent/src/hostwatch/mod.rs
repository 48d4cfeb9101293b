//! Looks for the names of computers near this one, when the client wants that and as long as it does.
//!
//! ```text
//! around    who is near             dns, netbios  questions and answers (both pure)
//! questions what is asked, and when  name         what is a computer's name, what its address
//! found     what is known, and what of it is still to be told
//! cache     what is known from one visit to the next
//! ```
//! It goes in rounds. A round looks into the hosts file and around, and then asks, slowly, what it does not know; names are told
//! as they come. Between rounds there is one timer and nothing else.

mod around;
mod cache;
mod dns;
mod found;
mod name;
mod netbios;
mod questions;

use std::collections::HashSet;
use std::fs;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use mio::{Registry, Token};
use ropeway_agent_api::{Report, Source};
use ropeway_mux::{Connection, Micros};

use crate::hosts_file;
use found::Found;
pub use questions::FIRST;
use questions::{Heard, Questions, Task};

/// From the beginning of one round to the next. Computers come and go in minutes, but that is known by then.
const ROUND: Micros = Micros(15 * 60 * 1_000_000);

/// From one message with names to the next: a list that grows is read five times a second, and 10 000 names are there in ten
/// seconds.
const TELLING: Micros = Micros(200_000);

/// Addresses and names that are asked about in one round: at the pace of the questions that is some minutes.
const MOST_ADDRESSES: usize = 2_000;
const MOST_NAMES: usize = 2_000;

pub struct HostWatch {
    questions: Questions,
    found: Found,
    wanted: Option<Wanted>,
    /// Names whose addresses were asked for in this round.
    asked: HashSet<String>,
    next_round: Micros,
    next_telling: Micros,
    /// What this round found was not written down yet.
    unsaved: bool,
}

struct Wanted {
    seeds: Vec<String>,
    auto: bool,
}

impl HostWatch {
    /// Asks nobody yet.
    pub fn new(registries: [Registry; 2]) -> Self {
        let [names, neighbours] = registries;
        Self {
            questions: Questions::new(names, neighbours),
            found: Found::default(),
            wanted: None,
            asked: HashSet::new(),
            next_round: Micros(0),
            next_telling: Micros(0),
            unsaved: false,
        }
    }

    /// Whether the poll's token is one of ours.
    pub fn owns(token: Token) -> bool {
        Questions::owns(token)
    }

    /// From now on, in place of what was wanted before.
    pub fn want(&mut self, seeds: &[String], auto: bool, now: Micros) {
        let seeds = seeds.iter().filter_map(|seed| name::host(seed)).collect();
        self.wanted = Some(Wanted { seeds, auto });
        self.found = Found::default();
        self.questions.forget();
        if let Some(folder) = cache::folder().filter(|_| auto) {
            self.found.recall(cache::load(&folder, today()));
        }
        (self.next_round, self.next_telling) = (now, now);
    }

    /// The poll has news of one of our sockets.
    pub fn on_ready(&mut self, token: Token, now: Micros) {
        let heard = self.questions.on_ready(token, now);
        self.hear(heard);
    }

    pub fn next_deadline(&mut self) -> Option<Micros> {
        self.wanted.as_ref()?;
        let telling = self.found.has_untold().then_some(self.next_telling);
        let saving = (self.unsaved && self.questions.is_idle()).then_some(Micros(0));
        [Some(self.next_round), telling, saving, self.questions.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due. Without a wish nothing ever is.
    pub fn expire(&mut self, mux: &mut Connection, now: Micros) {
        if self.wanted.is_none() {
            return;
        }
        let heard = self.questions.expire(now);
        self.hear(heard);
        if self.next_round <= now {
            self.next_round = Micros(now.0 + ROUND.0);
            // one that is still asking is not overtaken by the next
            if self.questions.is_idle() {
                self.begin_round();
            }
        }
        if self.unsaved && self.questions.is_idle() {
            self.save();
        }
        if self.found.has_untold() && self.next_telling <= now {
            self.next_telling = Micros(now.0 + TELLING.0);
            self.tell(mux);
        }
    }

    fn begin_round(&mut self) {
        let Some(Wanted { seeds, auto }) = self.wanted.take() else { return };
        self.found.begin_round();
        self.asked.clear();
        for seed in &seeds {
            for address in hosts_file::addresses(seed) {
                self.note(seed, address, Source::Seed);
            }
            self.look_up(seed, Source::Seed);
        }
        if auto {
            self.look_around();
            self.unsaved = true;
        }
        self.wanted = Some(Wanted { seeds, auto });
    }

    fn look_around(&mut self) {
        for (text, address) in hosts_file::all(found::MOST) {
            if let Some(name) = name::host(&text).filter(|_| name::is_somewhere(address)) {
                self.note(&name, address, Source::HostsFile);
                self.look_up(&name, Source::HostsFile);
            }
        }
        let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        if let Some(name) = name::host(own.trim()) {
            self.look_up(&name, Source::ReverseDns);
        }
        let around = around::look();
        self.questions.add(around.all.into_iter().take(MOST_ADDRESSES).map(Task::Name));
        self.questions.add(around.neighbours.into_iter().take(MOST_ADDRESSES).map(Task::OwnName));
        for (name, source) in self.found.names() {
            self.look_up(&name, source);
        }
    }

    /// Once in a round.
    fn look_up(&mut self, name: &str, source: Source) {
        if self.asked.len() < MOST_NAMES && self.asked.insert(name.to_owned()) {
            self.questions.add(questions::addresses(name, source));
        }
    }

    fn hear(&mut self, heard: Vec<Heard>) {
        for Heard { name, addresses, source, is_news } in heard {
            for address in addresses {
                self.note(&name, address, source);
            }
            if is_news {
                self.look_up(&name, source);
            }
        }
    }

    fn note(&mut self, name: &str, address: IpAddr, source: Source) {
        self.found.note(name, address, source, today());
    }

    /// A pipe that is full takes them later.
    fn tell(&mut self, mux: &mut Connection) {
        let hosts = self.found.untold(Report::MAX_HOSTS);
        let count = hosts.len();
        let (kind, data) = Report::Hosts(hosts).encode();
        if mux.send_control(kind, data) {
            self.found.told(count);
        }
    }

    fn save(&mut self) {
        self.unsaved = false;
        self.asked = HashSet::new();
        if let (Some(folder), Some(all)) = (cache::folder(), self.found.take_news()) {
            cache::save(folder, all);
        }
    }
}

/// Seconds since 1970.
fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
