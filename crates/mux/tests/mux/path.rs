//! One direction as it is in the world: our pipe, ssh, TCP, a bottleneck with a buffer, a delay.
//!
//! TCP is modelled by what matters for us: slow start from 10 segments, a cut to 0.7 after a loss (cubic's), which is
//! repaired one round trip later, and bytes in order. ssh takes what fits into its buffer and lets 2 MiB be under way.

use std::collections::{BTreeMap, VecDeque};

use ropeway_mux::Micros;

use crate::link::{Carrier, Damage};

/// Linux's pipe, and what ssh buffers of a channel before it stops to read it.
const PIPE: usize = 64 << 10;
const SSH_BUFFER: usize = 128 << 10;

/// `CHAN_SES_WINDOW_DEFAULT` of OpenSSH.
const SSH_WINDOW: usize = 2 << 20;

/// What an Ethernet frame leaves for TCP.
const SEGMENT: usize = 1448;

/// RFC 6928.
const FIRST_WINDOW: usize = 10 * SEGMENT;

/// How a path behaves.
#[derive(Debug, Clone)]
pub struct Path {
    /// Bits per second from each moment on; the first is at 0.
    pub rates: Vec<(Micros, u64)>,
    /// One way.
    pub delay: Micros,
    /// Milliseconds of the first rate that fit into the bottleneck's buffer.
    pub buffer_ms: u64,
    /// Nothing is sent in these times: ssh changes keys, or Wi-Fi roams.
    pub stalls: Vec<(Micros, Micros)>,
    /// Somebody else's queue in front of the far end, in microseconds at a moment.
    pub foreign: fn(Micros) -> u64,
    /// The reader wakes only so often; 0 = at once.
    pub wakes: u64,
    /// Another TCP that moves as much as it can through the same bottleneck from this moment on.
    pub rival: Option<Micros>,
    /// How far the agent's clock is ahead. It wraps in the middle of a measurement if nothing else is said.
    pub ahead: u32,
}

impl Path {
    pub fn new(megabits: f64, round_trip_ms: u64) -> Self {
        Self {
            rates: vec![(Micros(0), (megabits * 1e6) as u64)],
            delay: Micros(round_trip_ms * 500),
            buffer_ms: 250,
            stalls: Vec::new(),
            foreign: |_| 0,
            wakes: 0,
            rival: None,
            ahead: u32::MAX - 5_000_000,
        }
    }

    pub fn then(mut self, seconds: u64, megabits: f64) -> Self {
        self.rates.push((Micros(seconds * 1_000_000), (megabits * 1e6) as u64));
        self
    }

    pub fn rate(&self, now: Micros) -> u64 {
        self.rates.iter().rev().find(|(from, _)| *from <= now).map_or(1, |(_, rate)| *rate)
    }

    /// Bytes that the link carries between two moments.
    pub fn carries(&self, from: Micros, to: Micros) -> f64 {
        let ends = self.rates.iter().skip(1).map(|(at, _)| *at).chain([Micros(u64::MAX)]);
        let span = |(&(begin, rate), end): (&(Micros, u64), Micros)| {
            let (begin, end) = (begin.max(from), end.min(to));
            end.0.saturating_sub(begin.0) as f64 * rate as f64 / 8e6
        };
        self.rates.iter().zip(ends).map(span).sum()
    }

    pub fn pipe(&self) -> Box<Tcp> {
        Box::new(Tcp::new(self.clone()))
    }

    fn stalled_until(&self, now: Micros) -> Option<Micros> {
        self.stalls.iter().find(|(from, to)| (*from..*to).contains(&now)).map(|(_, to)| *to)
    }
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    /// A segment has left the bottleneck.
    Departs(usize),
    Arrives(usize),
    Acknowledged(usize),
    /// A loss is repaired, or a stall is over.
    GoesOn,
    RivalDeparts(usize),
    RivalAcknowledged(usize),
    RivalGoesOn,
}

/// The other TCP. What it loses it has lost: only its window matters here.
#[derive(Debug)]
struct Rival {
    window: f64,
    threshold: f64,
    flying: usize,
}

/// One direction at work.
pub struct Tcp {
    path: Path,
    segment: usize,
    /// Written, and not yet arrived, in order.
    bytes: VecDeque<u8>,
    unsent: usize,
    arrived: usize,
    window: f64,
    threshold: f64,
    flying: usize,
    lost_until: Micros,
    queued: usize,
    buffer: usize,
    free_at: u64,
    last_arrival: Micros,
    rival: Rival,
    happenings: BTreeMap<(Micros, u64), Happening>,
    count: u64,
}

impl Tcp {
    fn new(path: Path) -> Self {
        let rate = path.rates[0].1 as usize;
        let rival = path.rival;
        let mut tcp = Self {
            segment: SEGMENT * (rate / 8 / SEGMENT / 4000).clamp(1, 16),
            buffer: (rate / 8_000 * path.buffer_ms as usize).max(FIRST_WINDOW),
            path,
            bytes: VecDeque::new(),
            unsent: 0,
            arrived: 0,
            window: FIRST_WINDOW as f64,
            threshold: f64::INFINITY,
            flying: 0,
            lost_until: Micros(0),
            queued: 0,
            free_at: 0,
            last_arrival: Micros(0),
            rival: Rival { window: FIRST_WINDOW as f64, threshold: f64::INFINITY, flying: 0 },
            happenings: BTreeMap::new(),
            count: 0,
        };
        if let Some(at) = rival {
            tcp.at(at, Happening::RivalGoesOn);
        }
        tcp
    }

    fn at(&mut self, when: Micros, happening: Happening) {
        self.count += 1;
        self.happenings.insert((when, self.count), happening);
    }

    fn send(&mut self, now: Micros) {
        if let Some(until) = self.path.stalled_until(now) {
            return self.at(until, Happening::GoesOn);
        }
        while now >= self.lost_until
            && self.unsent > 0
            && (self.flying as f64) < self.window
            && self.flying < SSH_WINDOW
        {
            let bytes = self.segment.min(self.unsent);
            if self.queued + bytes > self.buffer && self.queued > 0 {
                return self.lose(now);
            }
            self.unsent -= bytes;
            self.flying += bytes;
            let departs = self.enqueue(bytes, now);
            self.at(departs, Happening::Departs(bytes));
        }
    }

    /// When the bottleneck has sent it.
    fn enqueue(&mut self, bytes: usize, now: Micros) -> Micros {
        self.queued += bytes;
        let sent = self.free_at.max(now.0 * 1_000) + bytes as u64 * 8_000_000_000 / self.path.rate(now);
        self.free_at = sent;
        Micros(sent.div_ceil(1_000))
    }

    fn rival_sends(&mut self, now: Micros) {
        while (self.rival.flying as f64) < self.rival.window {
            if self.queued + self.segment > self.buffer {
                self.rival.threshold = self.rival.flying as f64 * 0.7;
                self.rival.window = self.rival.threshold.max(2.0 * SEGMENT as f64);
                let repaired = Micros(now.0 + 2 * self.path.delay.0);
                if self.rival.flying == 0 {
                    self.at(repaired, Happening::RivalGoesOn);
                }
                return;
            }
            self.rival.flying += self.segment;
            let departs = self.enqueue(self.segment, now);
            self.at(departs, Happening::RivalDeparts(self.segment));
        }
    }

    fn lose(&mut self, now: Micros) {
        self.threshold = (self.flying as f64 * 0.7).max(2.0 * SEGMENT as f64);
        self.window = self.threshold;
        let queue = self.free_at.saturating_sub(now.0 * 1_000) / 1_000;
        self.lost_until = Micros(now.0 + 2 * self.path.delay.0 + queue);
        self.at(self.lost_until, Happening::GoesOn);
    }

    fn happen(&mut self, now: Micros, happening: Happening) {
        match happening {
            Happening::Departs(bytes) => {
                self.queued -= bytes;
                let foreign = (self.path.foreign)(now);
                let arrival = self.wake(Micros(now.0 + self.path.delay.0 + foreign)).max(self.last_arrival);
                self.last_arrival = arrival;
                self.at(arrival, Happening::Arrives(bytes));
                self.at(Micros(arrival.0 + self.path.delay.0), Happening::Acknowledged(bytes));
            }
            Happening::Arrives(bytes) => self.arrived += bytes,
            Happening::Acknowledged(bytes) => {
                if self.flying as f64 >= self.window * 0.5 {
                    self.window = grown(self.window, self.threshold, bytes);
                }
                self.flying -= bytes;
                self.send(now);
            }
            Happening::GoesOn => self.send(now),
            Happening::RivalDeparts(bytes) => {
                self.queued -= bytes;
                let acknowledged = Micros(now.0 + 2 * self.path.delay.0);
                self.at(acknowledged, Happening::RivalAcknowledged(bytes));
            }
            Happening::RivalAcknowledged(bytes) => {
                self.rival.flying -= bytes;
                self.rival.window = grown(self.rival.window, self.rival.threshold, bytes);
                self.rival_sends(now);
            }
            Happening::RivalGoesOn => self.rival_sends(now),
        }
    }

    fn wake(&self, at: Micros) -> Micros {
        if self.path.wakes == 0 { at } else { Micros(at.0.div_ceil(self.path.wakes) * self.path.wakes) }
    }
}

/// A TCP's window after so many bytes were acknowledged: doubled each round trip in slow start, then two segments more.
fn grown(window: f64, threshold: f64, bytes: usize) -> f64 {
    let growth = if window < threshold { 1.0 } else { 2.0 * SEGMENT as f64 / window };
    (window + bytes as f64 * growth).min(6e6)
}

impl Carrier for Tcp {
    fn room(&self, _: Micros) -> usize {
        let room = (PIPE + SSH_BUFFER).saturating_sub(self.unsent);
        if room < 4096 { 0 } else { room }
    }

    fn write(&mut self, bytes: &[u8], now: Micros) {
        self.bytes.extend(bytes);
        self.unsent += bytes.len();
        self.send(now);
    }

    fn read(&mut self, now: Micros) -> Option<Vec<u8>> {
        while let Some(entry) = self.happenings.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((when, _), happening) = entry.remove_entry();
            self.happen(when, happening);
        }
        let bytes = std::mem::take(&mut self.arrived);
        (bytes > 0).then(|| self.bytes.drain(..bytes).collect())
    }

    fn next_arrival(&self) -> Option<Micros> {
        self.happenings.first_key_value().map(|((when, _), _)| *when)
    }

    /// Room comes with what happens.
    fn next_room(&self, _: Micros) -> Option<Micros> {
        None
    }

    fn damage(&mut self, _: Damage) {
        unreachable!("TCP carries everything as it was written")
    }
}
