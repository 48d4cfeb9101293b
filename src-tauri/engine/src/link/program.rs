//! The program at our end of a stream, as the pump sees it.

use std::{
    io,
    task::{Context, Poll},
};

/// A connection that a program has made. Reads and writes never wait; the two polls say when they are worth a try again.
pub trait Program: Send + Sync {
    /// What the program says next; 0 when it has said everything, `WouldBlock` when it says nothing now.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// How many of `bytes` the program takes; `WouldBlock` when none now.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Wakes the context's waker when a read is worth a try.
    fn poll_read_ready(&self, context: &mut Context) -> Poll<io::Result<()>>;
    /// Wakes the context's waker when a write is worth a try.
    fn poll_write_ready(&self, context: &mut Context) -> Poll<io::Result<()>>;
    /// The far end has said everything, and the program has it all.
    fn finish(&self);
    /// The target has taken the connection.
    fn opened(&self);
    /// One direction has ended.
    fn closing(&self);
}
