//! How much may be in flight, and how fast bulk may leave: the link's rate at hardly more than the link's latency.
//!
//! From each acknowledgement come two numbers. The **queue** is how much later than the quickest of the last seconds the
//! bytes arrived (forward only; clocks need not agree). The **rate** is what the peer read during one round trip, by its
//! own clock, so that a queue on the way back does not disturb it. Once a round trip:
//!
//! ```text
//! path = average of round trip - queue                what the link costs without us
//! rate = largest of the last 8 rounds                 a round that did not fill the window may only raise it
//! window = rate × (path + target) + one frame         target: the queue that we allow ourselves
//! ```
//!
//! The target is goal and probe at once: the queue never empties, so the link is never idle; and if the link got faster
//! nothing queues, so the window grows by a fifth each round. Why each part is there, and what happens without it, is in
//! `docs/flow.md`.

use crate::Micros;

use super::{least::Least, marks::Mark};

/// What may be in flight before anything is known: one round trip of 50 ms at 10 Mbit/s. Half of it leaves Startup too early
/// where somebody else's queue comes and goes (72 instead of 96 % of the link, simulated).
const FIRST_WINDOW: f64 = 65_536.0;

/// Two full frames of the smallest size and some control.
const SMALLEST_WINDOW: f64 = 4_096.0;

/// OpenSSH's own window for a session is 2 MiB (`CHAN_SES_WINDOW_DEFAULT`). Whoever runs into it waits for it, which costs
/// up to twice the round trip and gains nothing; it is renewed in steps of about 96 KiB.
pub(crate) const LARGEST_WINDOW: f64 = ((2 << 20) - (128 << 10)) as f64;

/// The queue that we allow ourselves, as a part of the path: 1.2 in all. 1.1 needs twice as long to find a faster link, 1.5
/// makes every keystroke wait for half a round trip. With both directions busy each adds its own share.
const TARGET: f64 = 0.2;

/// But never less than this: nobody feels 4 ms, and on a path of 0.3 ms the processes need them to hand on the bytes.
const LEAST_TARGET: f64 = 0.004;

/// What the clocks and the pieces of the link (a segment of 1448 bytes takes 2 ms at 6 Mbit/s) make uncertain.
const SLACK: f64 = 0.002;

/// A frame takes so long at the link's rate: what a keystroke waits behind.
const FRAME_TIME: f64 = 0.002;
const SMALLEST_FRAME: f64 = 1_024.0;

/// On a slow link up to so much longer, until a frame has 2 KiB: each is a packet of ssh's there, with 60 bytes of its own and
/// TCP's (1 KiB frames carry 88.5 % of 2 Mbit/s, 2 KiB frames 89.7).
const SLOW_FRAME_TIME: f64 = 0.008;
const SLOW_FRAME: f64 = 2_048.0;
const LARGEST_FRAME: f64 = crate::frame::MAX_DATA as f64;

/// While the rate is not known: what 16 Mbit/s carry in that time.
const FIRST_FRAME: f64 = 4_096.0;

/// On a shorter path bulk is not paced: the timers of a busy computer are late by milliseconds, and what they cost there is
/// more than the round trip (a tunnel between processes of one computer fell to a tenth of its rate).
const LEAST_PACED: f64 = 0.005;

/// In Startup the window doubles each round and bulk leaves a little faster than that.
const STARTUP_GAIN: f64 = 2.0;
const STARTUP_PACE: f64 = 2.5;

/// It ends when so many rounds brought less than a quarter more.
const STARTUP_ROUNDS: u32 = 3;
const STARTUP_GROWTH: f64 = 1.25;

/// Or at once, when the first window is seconds of a slow line. TCP's own slow start lets the first 64 KiB wait for two
/// round trips on any line, so only more than that is a queue of ours.
const STARTUP_QUEUE: f64 = 3.0;
const STARTUP_SLACK: f64 = 0.05;

/// A drain leaves a part of the link idle for one round trip, to see whether the queue is ours.
const DRAIN_GAIN: f64 = 0.75;
const FOREIGN_DRAIN_GAIN: f64 = 0.6;

/// The queue is looked for so often when it was never seen empty.
const DRAIN_EVERY: u64 = 5_000_000;

/// Against a queue of somebody else's we take at most so much more than the last rate allowed.
const FOREIGN_GAIN: f64 = 2.5;

/// Rounds that the largest rate is taken from (BBR: 6 to 10).
const ROUNDS: usize = 8;

/// A round lasts at least this long. On a path of 0.3 ms eight round trips would be a moment's noise: the time that another
/// process had the processor.
const LEAST_ROUND: u64 = 5_000;

/// Without news for so long a pause must have been: a laptop that slept, a process that was stopped.
const SUSPENDED: u64 = 5_000_000;

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News {
    pub(crate) now: Micros,
    /// All numbered bytes that the peer has read, and when, by its clock.
    pub(crate) received: u64,
    pub(crate) peer: Micros,
    /// All that we wrote.
    pub(crate) sent: u64,
    /// The newest of our bytes that it covers.
    pub(crate) mark: Mark,
    /// Whether the window, and not a lack of bytes, held bulk back.
    pub(crate) held: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Startup { best: f64, flat: u32 },
    Run,
    Drain { until: Micros, least_queue: f64 },
}

/// The link was idle for a moment if the queue fell below this part of the path.
const EMPTY: f64 = 0.05;

/// A window that is too small grows by a fifth each round, and the rate with it: less than this is none.
const GROWS: f64 = 1.05;

/// After so many rounds without it the link may be faster than it looks, by so much. Sooner or more would be a queue of ours
/// where two directions share a link (p50 1.7 instead of 1.55 round trips, simulated).
const STUCK_ROUNDS: u32 = 4;
const DOUBT: f64 = 1.1;

/// Times in seconds, sizes in bytes, rates in bytes a second.
#[derive(Debug)]
pub(crate) struct Rule {
    mode: Mode,
    window: f64,
    rates: Rates,
    path: Option<f64>,
    quickest: Least,
    shortest: Least,
    queue: f64,
    /// The queue is not ours: a drain did not empty it.
    foreign: bool,
    seen_empty: Micros,
    /// Rounds in which a link that was idle did not look faster.
    stuck: u32,
    round: Option<Round>,
    stretch: Option<Stretch>,
    last_stretch: Option<(f64, f64)>,
}

/// Everything that was in flight when it began is acknowledged when it ends.
#[derive(Debug)]
struct Round {
    end: u64,
    not_before: Micros,
    /// Something else than the window held us back.
    limited: bool,
    rate: Mean,
    path: Mean,
    least_queue: f64,
}

/// Half a path or more, by the peer's clock: what is looked at when the link gets slower.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    began: Micros,
    received: u64,
    least_queue: f64,
    news: u32,
}

/// Acknowledgements that a stretch needs to say something.
const STRETCH_NEWS: u32 = 3;

/// A stretch lasts at least so long; see [`LEAST_ROUND`].
const LEAST_STRETCH: f64 = 0.005;

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Rule {
    pub(crate) fn new() -> Self {
        Self {
            mode: Mode::Startup { best: 0.0, flat: 0 },
            window: FIRST_WINDOW,
            rates: Rates::default(),
            path: None,
            quickest: Least::default(),
            shortest: Least::default(),
            queue: 0.0,
            foreign: false,
            seen_empty: Micros(0),
            stuck: 0,
            round: None,
            stretch: None,
            last_stretch: None,
        }
    }

    /// Bytes that bulk may have in flight.
    pub(crate) fn window(&self) -> usize {
        self.window as usize
    }

    /// Bytes a second at which bulk may leave; `None` while nothing is known.
    pub(crate) fn pace(&self) -> Option<f64> {
        let rate = self.rates.largest()?;
        if self.path.is_none_or(|path| path < LEAST_PACED) {
            return None;
        }
        let startup = matches!(self.mode, Mode::Startup { .. });
        Some(if startup || self.foreign { STARTUP_PACE * rate } else { (1.0 + TARGET) * rate })
    }

    /// Bytes of one frame of bulk.
    pub(crate) fn frame(&self) -> usize {
        self.rates.largest().map_or(FIRST_FRAME, frame) as usize
    }

    /// The link's rate as it is known.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rates.largest()
    }

    /// What the bytes of the last acknowledgement waited behind.
    pub(crate) fn queue(&self) -> f64 {
        self.queue
    }

    /// The round trip without our own queue.
    pub(crate) fn path(&self) -> Option<f64> {
        self.path
    }

    /// Bytes are written, up to `end`; `first` when nothing was in flight before them.
    pub(crate) fn on_written(&mut self, end: u64, now: Micros, first: bool) {
        if first {
            self.stretch = None;
            self.last_stretch = None;
        }
        self.round.get_or_insert_with(|| Round::new(end, now));
    }

    pub(crate) fn on_news(&mut self, news: &News) {
        let round_trip = seconds(news.now.0 as i64 - news.mark.written.0 as i64);
        if round_trip > seconds(SUSPENDED as i64) {
            return self.start_again(news.now);
        }
        let delay = news.peer.0 as i64 - news.mark.written.0 as i64;
        self.quickest.add(news.now, delay);
        self.shortest.add(news.now, news.now.0 as i64 - news.mark.written.0 as i64);
        self.queue = seconds(delay - self.quickest.value(news.now).unwrap_or(delay));
        if self.queue <= 0.1 * self.base(news.now) + SLACK {
            self.seen_empty = news.now;
            self.foreign = false;
        }
        if let Mode::Drain { least_queue, .. } = &mut self.mode {
            *least_queue = least_queue.min(self.queue);
        }
        if let Some(round) = &mut self.round {
            round.add(news, round_trip, self.queue);
        }
        if !self.foreign {
            self.watch_stretch(news);
        }
        let ended = |round: &mut Round| news.received >= round.end && news.now >= round.not_before;
        if let Some(round) = self.round.take_if(ended) {
            self.end_round(&round, news, round_trip);
            self.round = (news.sent > news.received).then(|| Round::new(news.sent, news.now));
        }
    }

    /// A pause, or a clock that stood still: what was measured is of another time, perhaps of another path.
    pub(crate) fn start_again(&mut self, now: Micros) {
        let window = (self.window / 2.0).max(SMALLEST_WINDOW);
        *self = Self { window, seen_empty: now, ..Self::new() };
    }

    /// The shortest round trip of the last seconds; a tenth of a millisecond where the clock cannot see it.
    fn base(&self, now: Micros) -> f64 {
        seconds(self.shortest.value(now).unwrap_or(0)).max(1e-4)
    }

    /// The link got slower: two stretches in a row in which the queue never fell below half a path. A stall of ssh shows
    /// one slow stretch and then the full rate, so it is the better of the two that counts.
    fn watch_stretch(&mut self, news: &News) {
        let base = self.base(news.now);
        let stretch = self.stretch.get_or_insert(Stretch {
            began: news.peer,
            received: news.received,
            least_queue: self.queue,
            news: 0,
        });
        stretch.least_queue = stretch.least_queue.min(self.queue);
        stretch.news += 1;
        let span = seconds(news.peer.0 as i64 - stretch.began.0 as i64);
        if span < (0.5 * base).max(LEAST_STRETCH) || stretch.news <= STRETCH_NEWS {
            return;
        }
        let (rate, queue) = ((news.received - stretch.received) as f64 / span, stretch.least_queue);
        if let Some((last_rate, last_queue)) = self.last_stretch {
            self.clamp(rate.max(last_rate), queue.min(last_queue), base);
        }
        self.last_stretch = Some((rate, queue));
        self.stretch =
            Some(Stretch { began: news.peer, received: news.received, least_queue: self.queue, news: 0 });
    }

    fn clamp(&mut self, rate: f64, queue: f64, base: f64) {
        let startup = matches!(self.mode, Mode::Startup { .. });
        let too_much = if startup {
            STARTUP_QUEUE * base + STARTUP_SLACK
        } else {
            (0.5 * base).max(2.5 * target(base)) + SLACK
        };
        let slower = startup || self.rates.largest().is_some_and(|largest| rate < largest);
        if queue > too_much && slower {
            self.mode = if startup { Mode::Run } else { self.mode };
            self.rates.replace(rate);
            let path = self.path.unwrap_or(base);
            self.window = self.window.min(rate * path).max(SMALLEST_WINDOW);
        }
    }

    fn end_round(&mut self, round: &Round, news: &News, round_trip: f64) {
        let base = self.base(news.now);
        let path = round.path.value().unwrap_or(base);
        let path = self.path.map_or(path, |old| old + (path - old) / 4.0);
        self.path = Some(path);
        if let Some(rate) = round.rate.value().map(|rate| self.doubted(rate, round, path))
            && (!round.limited || self.rates.largest().is_some_and(|largest| rate > largest))
        {
            self.rates.push(rate);
        }
        self.change_mode(round, news, base, round_trip);
        let Some(rate) = self.rates.largest() else { return };
        let window = self.wanted(rate, path, round_trip);
        let startup = matches!(self.mode, Mode::Startup { .. });
        let least = if startup { self.window } else { SMALLEST_WINDOW };
        self.window = window.max(least).min(LARGEST_WINDOW);
    }

    fn wanted(&self, rate: f64, path: f64, round_trip: f64) -> f64 {
        match self.mode {
            Mode::Startup { .. } => STARTUP_GAIN * rate * path + frame(rate),
            Mode::Drain { .. } if self.foreign => FOREIGN_DRAIN_GAIN * rate * path,
            Mode::Drain { .. } => DRAIN_GAIN * rate * path,
            Mode::Run if self.foreign => {
                rate * ((1.0 + TARGET) * round_trip).min(FOREIGN_GAIN * path) + frame(rate)
            }
            Mode::Run => rate * (path + target(path)) + frame(rate),
        }
    }

    /// The rate of a round, or a little more when it cannot be the link's: the window held us back, the queue was empty, and
    /// yet the rate has not grown for some rounds. A rate is of a round trip and the age of the news before it; with a
    /// reader that wakes every 10 ms that age would keep rate and window small for ever, each the reason of the other.
    fn doubted(&mut self, rate: f64, round: &Round, path: f64) -> f64 {
        let idle = round.least_queue <= EMPTY * path + SLACK / 4.0;
        let grows = self.rates.largest().is_none_or(|largest| rate > GROWS * largest);
        self.stuck = if idle && !round.limited && !grows { self.stuck + 1 } else { 0 };
        if self.stuck >= STUCK_ROUNDS { rate * DOUBT } else { rate }
    }

    fn change_mode(&mut self, round: &Round, news: &News, base: f64, round_trip: f64) {
        match self.mode {
            Mode::Startup { best, flat } => self.leave_startup(round, base, best, flat),
            Mode::Drain { until, least_queue } if news.now >= until => {
                self.mode = Mode::Run;
                self.seen_empty = news.now;
                self.foreign = least_queue > (0.4 * base).max(target(base)) + SLACK;
            }
            Mode::Run if news.now.0.saturating_sub(self.seen_empty.0) > DRAIN_EVERY && !round.limited => {
                let until = Micros(news.now.0 + (round_trip * 1e6) as u64);
                self.mode = Mode::Drain { until, least_queue: f64::INFINITY };
            }
            Mode::Run | Mode::Drain { .. } => {}
        }
    }

    fn leave_startup(&mut self, round: &Round, base: f64, best: f64, flat: u32) {
        let Some(rate) = self.rates.largest() else { return };
        let (best, flat) = match (round.limited, rate >= STARTUP_GROWTH * best) {
            (true, _) => (best, flat),
            (false, true) => (rate, 0),
            (false, false) => (best, flat + 1),
        };
        let queues = round.least_queue > (0.25 * base).max(target(base)) + SLACK;
        if flat >= STARTUP_ROUNDS || queues {
            self.mode = Mode::Run;
            self.rates.keep_newest(2);
        } else {
            self.mode = Mode::Startup { best, flat };
        }
    }
}

impl Round {
    fn new(end: u64, now: Micros) -> Self {
        Self {
            end,
            not_before: Micros(now.0 + LEAST_ROUND),
            limited: false,
            rate: Mean::default(),
            path: Mean::default(),
            least_queue: f64::INFINITY,
        }
    }

    fn add(&mut self, news: &News, round_trip: f64, queue: f64) {
        self.least_queue = self.least_queue.min(queue);
        self.path.add(round_trip - queue);
        self.limited |= !news.held;
        if let Some((received, peer)) = news.mark.before
            && news.peer > peer
        {
            self.rate.add((news.received - received) as f64 / seconds(news.peer.0 as i64 - peer.0 as i64));
        }
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// The rates of the last rounds, the newest first.
#[derive(Debug, Default)]
struct Rates {
    newest: [Option<f64>; ROUNDS],
}

impl Rates {
    fn push(&mut self, rate: f64) {
        self.newest.rotate_right(1);
        self.newest[0] = Some(rate);
    }

    fn replace(&mut self, rate: f64) {
        *self = Self::default();
        self.push(rate);
    }

    fn keep_newest(&mut self, count: usize) {
        self.newest[count..].fill(None);
    }

    fn largest(&self) -> Option<f64> {
        self.newest.iter().flatten().copied().reduce(f64::max)
    }
}

fn target(path: f64) -> f64 {
    (TARGET * path).max(LEAST_TARGET)
}

fn frame(rate: f64) -> f64 {
    let least = (rate * SLOW_FRAME_TIME).clamp(SMALLEST_FRAME, SLOW_FRAME);
    (rate * FRAME_TIME).clamp(least, LARGEST_FRAME)
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
