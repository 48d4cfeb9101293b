//! The one task that moves bytes between the agent's channel and the programs.
//!
//! It is one future written by hand and no `select!`: each turn reads what the channel has, looks at the streams that were
//! named, fills one buffer with what may be sent now and writes it. A timer is set only when its moment changes.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ropeway_mux::{Event, Micros, Source, StreamId, Supply};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Interval, MissedTickBehavior, Sleep, interval, sleep_until},
};

use super::{
    Link, Shared, State,
    heart::{HEARTBEAT, Heart},
    slot::Slot,
    stream::Cut,
};

/// Bytes of one read or write: four of the largest frames, and still in the processor's cache. What waits to be written can no
/// longer be overtaken by a keystroke, but it counts as in flight, which the mux bounds.
const BUFFER: usize = 256 << 10;

/// Reads in one turn, so that what arrives does not keep what leaves from leaving.
const READS: usize = 4;

/// Why the pump has stopped.
#[derive(Debug)]
pub enum End {
    /// The agent's output has ended.
    Eof,
    /// Reading or writing the channel failed.
    Pipe(io::Error),
    /// What came is not our protocol.
    Protocol(ropeway_mux::Error),
    /// Not a byte came for 20 s, though we asked.
    NoAnswer,
}

impl Link {
    /// Runs until the channel ends; all streams end with it. `first` has been read from the channel already.
    pub async fn run(&self, from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, first: &[u8]) -> End {
        let shared = &*self.shared;
        let mut pump = Pump::new(shared, from, to);
        let end = match pump.take_in(first) {
            Ok(()) => poll_fn(|context| pump.poll(context)).await,
            Err(end) => end,
        };
        shared.state().end_all();
        shared.health.send_if_modified(|health| std::mem::take(&mut health.verified));
        end
    }
}

struct Pump<'a, R, W> {
    shared: &'a Shared,
    from: R,
    to: W,
    input: Box<[u8]>,
    output: Box<[u8]>,
    /// What of the output has to be written.
    pending: Range<usize>,
    /// Streams to look at.
    news: Vec<StreamId>,
    heart: Heart,
    beat: Interval,
    /// For what is paced or gets too old.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Micros>,
}

impl<'a, R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pump<'a, R, W> {
    fn new(shared: &'a Shared, from: R, to: W) -> Self {
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            shared,
            from,
            to,
            input: vec![0; BUFFER].into(),
            output: vec![0; BUFFER].into(),
            pending: 0..0,
            news: Vec::new(),
            heart: Heart::default(),
            beat,
            alarm: Box::pin(sleep_until(Instant::now())),
            alarm_at: None,
        }
    }

    /// Everything that can be done now; Pending when the context will be woken for more.
    fn poll(&mut self, context: &mut Context) -> Poll<End> {
        match self.turn(context) {
            Err(end) => Poll::Ready(end),
            Ok(()) => Poll::Pending,
        }
    }

    fn turn(&mut self, context: &mut Context) -> Result<(), End> {
        loop {
            while self.beat.poll_tick(context).is_ready() {
                self.heart.beat(self.shared)?;
            }
            let read = self.poll_read(context)?;
            let looked = self.look(context);
            self.poll_write(context)?;
            let rang = self.poll_alarm(context).is_ready();
            if !(read || looked || rang) {
                return Ok(());
            }
        }
    }

    /// Whether there may be more to read.
    fn poll_read(&mut self, context: &mut Context) -> Result<bool, End> {
        for _ in 0..READS {
            let mut buffer = ReadBuf::new(&mut self.input);
            match Pin::new(&mut self.from).poll_read(context, &mut buffer) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(End::Pipe(error)),
                Poll::Ready(Ok(())) => {}
            }
            let length = buffer.filled().len();
            if length == 0 {
                return Err(End::Eof);
            }
            let pong = self.shared.receive(&self.input[..length])?;
            self.heart.hear(pong, self.shared);
        }
        Ok(true)
    }

    fn take_in(&mut self, first: &[u8]) -> Result<(), End> {
        if !first.is_empty() {
            let pong = self.shared.receive(first)?;
            self.heart.hear(pong, self.shared);
        }
        Ok(())
    }

    /// At the streams that were named; whether there was any.
    fn look(&mut self, context: &Context) -> bool {
        let news = self.shared.wakes.take(&mut self.news, context);
        if !self.news.is_empty() {
            let now = self.shared.now();
            let mut state = self.shared.state();
            self.news.drain(..).for_each(|id| state.look(id, now));
        }
        news
    }

    /// Until nothing may be sent or the channel takes no more.
    fn poll_write(&mut self, context: &mut Context) -> Result<(), End> {
        loop {
            if self.pending.is_empty() {
                self.pending = 0..self.shared.transmit(&mut self.output);
            }
            if self.pending.is_empty() {
                return Ok(());
            }
            match Pin::new(&mut self.to).poll_write(context, &self.output[self.pending.clone()]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(End::Pipe(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.pending.start += written,
                Poll::Ready(Err(error)) => return Err(End::Pipe(error)),
            }
        }
    }

    /// Ready when something was due.
    fn poll_alarm(&mut self, context: &mut Context) -> Poll<()> {
        let deadline = self.shared.state().mux.next_deadline();
        let Some(at) = deadline else {
            self.alarm_at = None;
            return Poll::Pending;
        };
        if self.alarm_at != deadline {
            self.alarm_at = deadline;
            let moment = Instant::from_std(self.shared.start + Duration::from_micros(at.0));
            self.alarm.as_mut().reset(moment);
        }
        ready!(self.alarm.as_mut().poll(context));
        self.alarm_at = None;
        let now = self.shared.now();
        self.shared.state().mux.expire(now);
        Poll::Ready(())
    }
}

impl Shared {
    /// Takes in what was read; the round trip of a heartbeat, if one came back.
    fn receive(&self, mut bytes: &[u8]) -> Result<Option<Micros>, End> {
        let now = self.now();
        let mut state = self.state();
        let mut pong = None;
        while let Some(event) = state.mux.receive(&mut bytes, now).map_err(End::Protocol)? {
            match event {
                Event::Pong { round_trip } => pong = Some(round_trip),
                event => state.on_event(&event, now),
            }
        }
        Ok(pong)
    }

    fn transmit(&self, space: &mut [u8]) -> usize {
        let now = self.now();
        let State { mux, slots, .. } = &mut *self.state();
        mux.transmit(space, now, &mut Slots(slots))
    }
}

/// What the mux sends comes straight from the programs.
struct Slots<'a>(&'a mut HashMap<StreamId, Slot>);

impl Source for Slots<'_> {
    fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Supply {
        self.0.get_mut(&id).map_or(Supply::Empty, |slot| slot.read(buffer))
    }
}

impl State {
    fn on_event(&mut self, event: &Event, now: Micros) {
        match *event {
            Event::Data { id, data } => self.act(id, now, |slot| slot.deliver(data)),
            Event::Opened { id } => self.change(id, Slot::opened),
            Event::Eof { id } => self.change(id, Slot::far_said_all),
            Event::Refused { id, reason } | Event::Reset { id, reason } => {
                self.change(id, |slot| slot.cut(reason));
            }
            Event::Datagram { flow, ref data } => {
                // a reader that is behind, or gone, loses it
                self.readers.get(&flow).map(|reader| reader.try_send(data.clone()));
            }
            // the agent opens nothing; control messages have no user yet
            Event::Ready | Event::Pong { .. } | Event::Incoming { .. } | Event::Control { .. } => {}
        }
    }

    /// Its program can be written again, or has something to say.
    fn look(&mut self, id: StreamId, now: Micros) {
        self.act(id, now, Slot::flush);
        if self.slots.get(&id).is_some_and(|slot| !slot.is_over() && slot.is_readable()) {
            self.mux.ready(id);
        }
    }

    /// The program took some bytes of its stream, or it is broken. A stream that its task has left has no slot: its bytes are
    /// gone, its credit is not owed.
    fn act(&mut self, id: StreamId, now: Micros, act: impl FnOnce(&mut Slot) -> io::Result<usize>) {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| !slot.is_over()) else { return };
        match act(slot) {
            Ok(0) => {}
            Ok(taken) => self.mux.consumed(id, taken, now),
            Err(_) => {
                slot.end(Err(Cut::Near));
                self.mux.reset(id, ropeway_mux::Reason::Reset, now);
            }
        }
    }

    fn change(&mut self, id: StreamId, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.slots.get_mut(&id) {
            change(slot);
        }
    }

    fn end_all(&mut self) {
        self.ended = true;
        self.slots.values_mut().for_each(|slot| slot.end(Err(Cut::Link)));
    }
}
