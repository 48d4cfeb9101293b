//! Remembers what an edge-triggered poll said, so that nothing is read or written in vain.

use mio::event::Event;

/// Whether a descriptor may have something to read.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: bool,
    /// The other end has closed: the poll says so once, so only a read that finds the end may clear `ready`.
    closed: bool,
}

impl Readiness {
    pub fn note(&mut self, event: &Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.ready = true;
            self.closed |= event.is_read_closed() || event.is_error();
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// A read gave `got` of `asked` bytes. A short one emptied the kernel's buffer, what comes later is a new edge
    /// (epoll(7), question 9); this saves the read that would only say `WouldBlock`.
    pub fn took(&mut self, got: usize, asked: usize) {
        self.ready = self.closed || got == asked;
    }

    /// The connection is dead: read what is left without waiting for the poll.
    pub fn expect_end(&mut self) {
        self.ready = true;
        self.closed = true;
    }

    /// Nothing there until the next edge.
    pub fn clear(&mut self) {
        self.ready = false;
    }
}
