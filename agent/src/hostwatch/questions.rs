//! What is asked, of whom, and when: one after the other, with a pause, so that nobody notices.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use ropeway_agent_api::{Question, Source, Transport};
use ropeway_mux::Micros;

use super::dns::{self, Kind};
use super::netbios;
use crate::names;
use crate::names::pool::{Done, Pool};
use crate::names::resolvers::Resolvers;

/// From one question to the next: 20 a second are few for any name server, and a network of 250 computers has its names in
/// half a minute.
const PACE: Micros = Micros(50_000);

/// Questions to name servers at one time. At this pace there are more only where nobody answers.
const PLACES: usize = 8;

/// The poll's names for our sockets are the highest numbers below those of the client's questions.
const NETBIOS: usize = names::FIRST - 1;
pub const FIRST: usize = NETBIOS - PLACES;

/// Questions that wait; the rounds' own limits are lower, so this is only about memory.
const MOST: usize = 50_000;

/// Domains that are tried for a short name; resolvers of old looked at six, people have one or two.
const SEARCH: usize = 3;

/// How long a neighbour may take to tell its name: it is on the same cable.
const PATIENCE: Micros = Micros(3_000_000);

/// A `NetBIOS` answer has room for 255 names of 18 bytes; RFC 1001 lets them all fit into 576 bytes, Windows does not.
const LARGEST: usize = 5_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// What name servers call this address.
    Name(IpAddr),
    /// What the computer calls itself.
    OwnName(Ipv4Addr),
    Addresses {
        name: String,
        kind: Kind,
        source: Source,
        /// Which of the domains is tried.
        domain: usize,
    },
}

/// A name and what is known of it.
pub struct Heard {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub source: Source,
    /// Its other addresses may be asked for.
    pub is_news: bool,
}

pub struct Questions {
    registry: Registry,
    resolvers: Resolvers,
    pool: Pool,
    waiting: VecDeque<Task>,
    /// What an answer will be about.
    under_way: HashMap<u32, Task>,
    next_id: u32,
    next_question: Micros,
    neighbours: Option<Neighbours>,
    random: RandomState,
}

/// Those who were asked for their own names.
struct Neighbours {
    socket: UdpSocket,
    asked: HashMap<Ipv4Addr, u16>,
    /// Nobody answers any more.
    until: Micros,
}

/// All questions for the addresses of a name.
pub fn addresses(name: &str, source: Source) -> [Task; 2] {
    [Kind::A, Kind::Aaaa].map(|kind| Task::Addresses { name: name.to_owned(), kind, source, domain: 0 })
}

impl Questions {
    /// Each kind of socket has a registry of its own; all are the same poll's.
    pub fn new(names: Registry, neighbours: Registry) -> Self {
        Self {
            pool: Pool::new(names, FIRST, PLACES),
            registry: neighbours,
            resolvers: Resolvers::of_this_machine(),
            waiting: VecDeque::new(),
            under_way: HashMap::new(),
            next_id: 0,
            next_question: Micros(0),
            neighbours: None,
            random: RandomState::new(),
        }
    }

    pub fn owns(token: Token) -> bool {
        (FIRST..=NETBIOS).contains(&token.0)
    }

    pub fn add(&mut self, tasks: impl IntoIterator<Item = Task>) {
        self.waiting.extend(tasks);
        self.waiting.truncate(MOST);
    }

    /// What is under way is not waited for.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.under_way.clear();
        self.neighbours = None;
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty() && self.neighbours.is_none()
    }

    pub fn next_deadline(&mut self) -> Option<Micros> {
        let can_ask = !self.waiting.is_empty() && self.pool.has_room();
        let question = can_ask.then_some(self.next_question);
        let neighbours = self.neighbours.as_ref().map(|neighbours| neighbours.until);
        [question, neighbours, self.pool.next_deadline()].into_iter().flatten().min()
    }

    pub fn expire(&mut self, now: Micros) -> Vec<Heard> {
        let done = self.pool.expire(now);
        let mut heard: Vec<Heard> = done.into_iter().filter_map(|done| self.hear(done)).collect();
        self.neighbours.take_if(|neighbours| neighbours.until <= now);
        if self.next_question <= now
            && self.pool.has_room()
            && let Some(task) = self.waiting.pop_front()
        {
            self.next_question = Micros(now.0 + PACE.0);
            heard.extend(self.ask(task, now));
        }
        heard
    }

    pub fn on_ready(&mut self, token: Token, now: Micros) -> Vec<Heard> {
        if token.0 == NETBIOS {
            return self.neighbours.as_mut().map(Neighbours::hear).unwrap_or_default();
        }
        self.pool.on_ready(token, now).and_then(|done| self.hear(done)).into_iter().collect()
    }

    fn ask(&mut self, task: Task, now: Micros) -> Option<Heard> {
        let (name, kind) = match &task {
            Task::OwnName(address) => {
                // a socket that cannot be had, a network that is down: there are other ways to its name
                let _ = self.ask_neighbour(*address, now);
                return None;
            }
            Task::Name(address) => (dns::reverse(*address), Kind::Ptr),
            Task::Addresses { name, kind, domain, .. } => (self.full_name(name, *domain)?, *kind),
        };
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        let message = dns::question(self.secret(id), &name, kind)?;
        let question = Question { id, over: Transport::Udp, to: None, message: message.into() };
        self.under_way.insert(id, task);
        let servers = self.resolvers.servers().to_vec();
        self.pool.ask(question, servers, now).and_then(|done| self.hear(done))
    }

    /// A name without a dot is one of the domains that this machine's programs try; None when there are no more of them.
    fn full_name(&mut self, name: &str, domain: usize) -> Option<String> {
        let search = self.resolvers.search();
        if name.contains('.') || search.is_empty() {
            return (domain == 0).then(|| name.to_owned());
        }
        let domain = search.iter().take(SEARCH).nth(domain)?;
        Some(format!("{name}.{domain}"))
    }

    fn hear(&mut self, Done { id, message }: Done) -> Option<Heard> {
        let (task, message) = (self.under_way.remove(&id)?, message.ok()?);
        let answer = dns::answer(&message);
        match task {
            Task::Name(address) => {
                // one of several is as good as another, and all of them would be a list of web sites
                let name = answer.names.into_iter().next()?;
                Some(Heard { name, addresses: vec![address], source: Source::ReverseDns, is_news: true })
            }
            Task::Addresses { name, kind, source, domain } if answer.nobody => {
                self.waiting.push_front(Task::Addresses { name, kind, source, domain: domain + 1 });
                None
            }
            Task::Addresses { name, source, .. } => {
                Some(Heard { name, addresses: answer.addresses, source, is_news: false })
            }
            Task::OwnName(_) => None,
        }
    }

    fn ask_neighbour(&mut self, address: Ipv4Addr, now: Micros) -> io::Result<()> {
        let id = self.secret(address.to_bits());
        if self.neighbours.is_none() {
            let mut socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
            self.registry.register(&mut socket, Token(NETBIOS), Interest::READABLE)?;
            self.neighbours = Some(Neighbours { socket, asked: HashMap::new(), until: now });
        }
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.until = Micros(now.0 + PATIENCE.0);
            neighbours.asked.insert(address, id);
            neighbours.socket.send_to(&netbios::question(id), (address, netbios::PORT).into())?;
        }
        Ok(())
    }

    /// What nobody who does not see the question can know.
    fn secret(&self, of: u32) -> u16 {
        self.random.hash_one(of) as u16
    }
}

impl Neighbours {
    fn hear(&mut self) -> Vec<Heard> {
        let (mut heard, mut space) = (vec![], [0; LARGEST]);
        loop {
            match self.socket.recv_from(&mut space) {
                Ok((length, from)) => heard.extend(self.answered(&space[..length], from)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // nothing more, or nothing at all
                Err(_) => return heard,
            }
        }
    }

    /// Once, from who was asked.
    fn answered(&mut self, message: &[u8], from: SocketAddr) -> Option<Heard> {
        let SocketAddr::V4(from) = from else { return None };
        let (id, name) = netbios::answer(message)?;
        if from.port() != netbios::PORT || self.asked.get(from.ip()) != Some(&id) {
            return None;
        }
        self.asked.remove(from.ip());
        Some(Heard { name, addresses: vec![(*from.ip()).into()], source: Source::NetBios, is_news: true })
    }
}
