//! One direction of the pipe: a rate, a delay, a buffer that fills, and pieces of any size.

use std::collections::VecDeque;

use ropeway_mux::Micros;

/// One direction, whatever it is made of.
pub trait Carrier {
    /// Bytes that the writer may write now.
    fn room(&self, now: Micros) -> usize;
    fn write(&mut self, bytes: &[u8], now: Micros);
    /// What has arrived by now, a piece at a time.
    fn read(&mut self, now: Micros) -> Option<Vec<u8>>;
    /// When something happens in it by itself.
    fn next_arrival(&self) -> Option<Micros>;
    /// When a writer that found no room may try again.
    fn next_room(&self, now: Micros) -> Option<Micros>;
    /// Something is changed on the way.
    fn damage(&mut self, damage: Damage);
}

/// How a pipe behaves.
#[derive(Debug, Clone)]
pub struct Link {
    /// Bytes per second.
    pub rate: u64,
    pub delay: Micros,
    /// Bytes that wait at the bottleneck before the writer is stopped.
    pub buffer: usize,
    /// Bytes arrive in random pieces of up to this many.
    pub piece: usize,
}

impl Link {
    pub fn new(megabits: u64, delay_ms: u64) -> Self {
        Self { rate: megabits * 125_000, delay: Micros(delay_ms * 1_000), buffer: 256 << 10, piece: 64 << 10 }
    }

    pub fn pieces(self, piece: usize) -> Self {
        Self { piece, ..self }
    }
}

/// A change of what is carried, at a place counted from the start.
#[derive(Debug, Clone)]
pub enum Damage {
    Flip { at: usize, mask: u8 },
    Lose { at: usize, count: usize },
    Repeat { at: usize, count: usize },
    Insert { at: usize, bytes: Vec<u8> },
}

/// One direction at work.
pub struct Pipe {
    link: Link,
    random: Random,
    /// When the bottleneck has sent all it was given, in nanoseconds.
    free_at: u64,
    under_way: VecDeque<(Micros, Vec<u8>)>,
    written: usize,
    damage: Option<Damage>,
}

impl Pipe {
    pub fn new(link: Link, seed: u64) -> Self {
        Self { link, random: Random(seed), free_at: 0, under_way: VecDeque::new(), written: 0, damage: None }
    }

    fn least_room(&self) -> usize {
        self.link.buffer.min(4 << 10)
    }

    fn backlog(&self, now: Micros) -> usize {
        (self.free_at.saturating_sub(now.0 * 1_000) * self.link.rate / 1_000_000_000) as usize
    }

    fn damaged(&mut self, mut bytes: Vec<u8>, start: usize) -> Vec<u8> {
        let place = match &self.damage {
            Some(
                Damage::Flip { at, .. }
                | Damage::Lose { at, .. }
                | Damage::Repeat { at, .. }
                | Damage::Insert { at, .. },
            ) if (start..start + bytes.len()).contains(at) => at - start,
            _ => return bytes,
        };
        let until = |count: usize, bytes: &[u8]| bytes.len().min(place + count);
        match self.damage.take() {
            Some(Damage::Flip { mask, .. }) => bytes[place] ^= mask,
            Some(Damage::Lose { count, .. }) => drop(bytes.drain(place..until(count, &bytes))),
            Some(Damage::Repeat { count, .. }) => {
                let again = bytes[place..until(count, &bytes)].to_vec();
                drop(bytes.splice(place..place, again));
            }
            Some(Damage::Insert { bytes: more, .. }) => drop(bytes.splice(place..place, more)),
            None => {}
        }
        bytes
    }
}

impl Carrier for Pipe {
    /// Like a kernel's, the pipe is not writable for a few bytes.
    fn room(&self, now: Micros) -> usize {
        let room = self.link.buffer.saturating_sub(self.backlog(now));
        if room < self.least_room() { 0 } else { room }
    }

    fn write(&mut self, bytes: &[u8], now: Micros) {
        let start = self.written;
        self.written += bytes.len();
        let damaged = self.damaged(bytes.to_vec(), start);
        let mut rest = &damaged[..];
        while !rest.is_empty() {
            let length = 1 + self.random.below(self.link.piece.min(rest.len()));
            let (piece, behind) = rest.split_at(length);
            let sent = self.free_at.max(now.0 * 1_000) + length as u64 * 1_000_000_000 / self.link.rate;
            self.free_at = sent;
            self.under_way.push_back((Micros(sent.div_ceil(1_000) + self.link.delay.0), piece.to_vec()));
            rest = behind;
        }
    }

    fn read(&mut self, now: Micros) -> Option<Vec<u8>> {
        self.under_way.pop_front_if(|(arrival, _)| *arrival <= now).map(|(_, bytes)| bytes)
    }

    fn next_arrival(&self) -> Option<Micros> {
        self.under_way.front().map(|(arrival, _)| *arrival)
    }

    fn next_room(&self, now: Micros) -> Option<Micros> {
        let full = (self.link.buffer - self.least_room()) as u64;
        let writable = self.free_at.saturating_sub(full * 1_000_000_000 / self.link.rate);
        (self.room(now) == 0).then(|| Micros(writable.div_ceil(1_000)).max(Micros(now.0 + 1)))
    }

    fn damage(&mut self, damage: Damage) {
        self.damage = Some(damage);
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 |= 1;
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}
