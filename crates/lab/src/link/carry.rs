//! The thread that carries packets. It sleeps until the next one arrives, a little longer when several are close
//! together, and not at all costs: a late wake-up delays packets, but never changes the rate.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, ppoll},
    sys::eventfd::{EfdFlags, EventFd},
    sys::time::TimeSpec,
    unistd,
};

use super::{Spec, queue::Queue};

/// The least sleep while packets travel: bounds the wake-ups to 5 000 a second, and blurs a round trip by at most
/// twice this, 2 % of the shortest that is measured (20 ms).
const GRAIN: Duration = Duration::from_micros(200);

/// The longest packet of a device whose MTU is 1 500.
const LONGEST: usize = 2_048;

/// Packets read from one end before the other gets its turn.
const TURN: usize = 64;

/// Spare buffers that are kept: more than travel on any link here (100 Mbit/s × 250 ms are 2 100 packets).
const SPARE: usize = 4_096;

/// Above the programs that use the link, which would otherwise change its delay by using the processor. Real links
/// have hardware for it.
const NICE: libc::c_int = -15;

/// What went into one direction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
}

/// What the thread hears and tells.
#[derive(Debug)]
pub struct Control {
    pub stop: AtomicBool,
    pub restart: AtomicBool,
    counts: Mutex<[Counts; 2]>,
    bell: EventFd,
}

impl Control {
    pub fn new() -> io::Result<Self> {
        let bell = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { stop: false.into(), restart: false.into(), counts: Mutex::default(), bell })
    }

    pub fn wake(&self) {
        let _ = self.bell.write(1);
    }

    pub fn counts(&self) -> [Counts; 2] {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until told to stop.
pub fn carry(ends: [OwnedFd; 2], spec: &Spec, control: &Control) {
    be_punctual();
    let mut link = Carrier {
        ends,
        spec,
        queues: Default::default(),
        counts: Default::default(),
        spare: VecDeque::new(),
    };
    let mut began = Instant::now();
    while !control.stop.load(Ordering::Relaxed) {
        if control.restart.swap(false, Ordering::Relaxed) {
            link.queues.iter_mut().for_each(|queue| queue.rebase(began.elapsed()));
            began = Instant::now();
        }
        for direction in 0..2 {
            link.take_in(direction, began);
            link.deliver(direction, began.elapsed());
        }
        *control.counts.lock().unwrap_or_else(PoisonError::into_inner) = link.counts;
        link.rest(began, control);
    }
}

struct Carrier<'a> {
    ends: [OwnedFd; 2],
    spec: &'a Spec,
    queues: [Queue; 2],
    counts: [Counts; 2],
    spare: VecDeque<Vec<u8>>,
}

impl Carrier<'_> {
    fn take_in(&mut self, direction: usize, began: Instant) {
        for _ in 0..TURN {
            let mut packet = self.spare.pop_front().unwrap_or_default();
            packet.resize(LONGEST, 0);
            let Ok(length) = unistd::read(&self.ends[direction], &mut packet) else {
                self.keep(packet);
                return;
            };
            packet.truncate(length);
            let counts = &mut self.counts[direction];
            counts.packets += 1;
            counts.bytes += length as u64;
            if let Err(packet) = self.queues[direction].offer(began.elapsed(), packet, self.spec) {
                self.counts[direction].lost += 1;
                self.keep(packet);
            }
        }
    }

    fn deliver(&mut self, direction: usize, now: Duration) {
        while let Some(packet) = self.queues[direction].arrived(now) {
            // a host that takes no more, or no such packet, has lost it
            let _ = unistd::write(&self.ends[1 - direction], &packet);
            self.keep(packet);
        }
    }

    fn rest(&self, began: Instant, control: &Control) {
        let next = self.queues.iter().filter_map(Queue::next_arrival).min();
        if next.is_some() {
            thread::sleep(GRAIN);
        }
        let left = next.map(|next| TimeSpec::from_duration(next.saturating_sub(began.elapsed())));
        let [first, second] = &self.ends;
        let fds = [first.as_fd(), second.as_fd(), control.bell.as_fd()];
        let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let _ = ppoll(&mut fds, left, None);
        if fds[2].any() == Some(true) {
            let _ = control.bell.read();
        }
    }

    fn keep(&mut self, packet: Vec<u8>) {
        if self.spare.len() < SPARE {
            self.spare.push_front(packet);
        }
    }
}

/// Timers of a thread are late by 50 µs on purpose, unless it asks. Without the right to a better place in the queue
/// for the processor it works as well, less precisely on a busy machine.
fn be_punctual() {
    let _ = nix::sys::prctl::set_timerslack(1);
    // SAFETY: plain numbers; 0 is the calling thread
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}
