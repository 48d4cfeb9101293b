//! One stream: its two windows, and how far each direction has come.
//!
//! The state is small and holds no buffer while the stream is idle, because most streams of a desktop are idle.

use std::{collections::HashMap, net::SocketAddr};

use crate::{
    Error,
    schedule::Turn,
    window::{ReceiveWindow, SendWindow},
};

/// Most streams at one time. A browser has hundreds, a crawler thousands; each costs some 200 bytes here, and a
/// descriptor and 4 KiB of credit at each end.
pub(crate) const MAX_STREAMS: usize = 16 << 10;

/// Places for streams that are kept for the next burst: 200 KB.
const WORTH_SHRINKING: usize = 1 << 10;

/// How far the opening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Client: OPEN is not written yet, so the peer cannot know the stream.
    Unsent(SocketAddr),
    /// Client: OPEN is written, no answer yet. Data may go.
    Asked,
    /// Agent: not answered yet. Data may come.
    Incoming,
    Open,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) phase: Phase,
    /// Its owner has something for it: bytes or an end.
    pub(crate) ready: bool,
    pub(crate) send: SendWindow,
    pub(crate) receive: ReceiveWindow,
    pub(crate) turn: Turn,
    pub(crate) ours: Direction,
    /// The peer's EOF was received.
    pub(crate) peer_finished: bool,
    /// A WINDOW frame waits in the outbox; it will carry the limit of the moment when it is written.
    pub(crate) window_queued: bool,
}

/// How far our direction is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Running,
    /// EOF waits in the outbox.
    Queued,
    /// EOF is written.
    Finished,
}

impl Stream {
    pub(crate) fn new(phase: Phase, send: SendWindow, receive: ReceiveWindow) -> Self {
        Self {
            phase,
            ready: false,
            send,
            receive,
            turn: Turn::default(),
            ours: Direction::Running,
            peer_finished: false,
            window_queued: false,
        }
    }

    /// Whether it should be in the schedule.
    pub(crate) fn can_send(&self) -> bool {
        self.phase != Phase::Incoming && self.ready && self.ours == Direction::Running && self.send.room() > 0
    }

    /// Whether both directions have been ended in order.
    pub(crate) fn is_closing(&self) -> bool {
        self.peer_finished && self.ours != Direction::Running
    }

    /// Whether nothing can happen any more. A stream with unread bytes lives on, so that it counts for the memory.
    pub(crate) fn is_over(&self) -> bool {
        self.peer_finished && self.ours == Direction::Finished && self.receive.unread() == 0
    }
}

/// The living streams by id, and the ids used so far. Nothing walks over them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    living: HashMap<u32, Stream>,
    last: u32,
}

impl Streams {
    /// The next id of this end, whether or not a stream of that id comes to live.
    pub(crate) fn next_id(&mut self) -> Option<u32> {
        self.last = self.last.checked_add(1)?;
        Some(self.last)
    }

    /// The peer uses `id`; false if it did so before.
    pub(crate) fn claim(&mut self, id: u32) -> bool {
        let new = id > self.last;
        self.last = self.last.max(id);
        new
    }

    pub(crate) fn insert(&mut self, id: u32, stream: Stream) {
        self.living.insert(id, stream);
    }

    pub(crate) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        self.living.get_mut(&id)
    }

    /// The stream that a frame names: `None` when it is over, an error when the peer cannot know it.
    pub(crate) fn named(&mut self, id: u32) -> Result<Option<&mut Stream>, Error> {
        match self.living.get_mut(&id) {
            Some(Stream { phase: Phase::Unsent(_), .. }) => Err(Error::UnknownStream(id)),
            None if id > self.last || id == 0 => Err(Error::UnknownStream(id)),
            stream => Ok(stream),
        }
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Stream> {
        let stream = self.living.remove(&id);
        // Give memory back after a burst; each shrinking is paid for by the removals before it.
        if self.living.capacity() > WORTH_SHRINKING && self.living.len() * 8 < self.living.capacity() {
            self.living.shrink_to(self.living.len() * 2);
        }
        stream
    }

    pub(crate) fn len(&self) -> usize {
        self.living.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MAX_STREAMS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_stream_is_small() {
        assert!(size_of::<Stream>() <= 136, "{} bytes", size_of::<Stream>());
    }
}
