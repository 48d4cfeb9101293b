//! One connection: a thread that reads and answers, and others that have something to say.

use std::{
    io,
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use ropeway_helper_api::{Message, Notice, Request, wire};

use crate::rules::ClientId;

/// How long a message that has begun may take, in each direction. The largest one (10 MB) crosses a local socket in
/// milliseconds.
const MESSAGE_TIME: Duration = Duration::from_secs(10);

/// Bytes of a greeting, with room for what later revisions may say in it.
const GREETING: usize = 4096;

/// How long after its beginning a connection may take to say what it is for. An engine does at once; a busy machine
/// takes its time.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// Who has it may be heard and answered. All connections of a user have the same one, so that each user has one message
/// in memory and one thread that waits for the others' lock, however many connections.
pub type Turn = Arc<Mutex<()>>;

pub struct Line {
    pub client: ClientId,
    /// Who is at the other end, according to the kernel or the bus.
    pub uid: u32,
    pub turn: Turn,
    opened: Instant,
    /// It has said what it is for.
    settled: AtomicBool,
    socket: UnixStream,
    writing: Mutex<()>,
    /// Only then notices may come.
    greeted: AtomicBool,
    closed: AtomicBool,
}

impl Line {
    pub fn new(client: ClientId, uid: u32, turn: Turn, socket: UnixStream) -> io::Result<Self> {
        socket.set_write_timeout(Some(MESSAGE_TIME))?;
        let [settled, greeted, closed] = [false; 3].map(AtomicBool::new);
        let opened = Instant::now();
        Ok(Self { client, uid, turn, opened, settled, socket, writing: Mutex::default(), greeted, closed })
    }

    /// Until the peer has begun to say something, or the end has come; waits for that without the turn.
    pub fn wait_turn(&self) -> io::Result<MutexGuard<'_, ()>> {
        let mut socket = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        while let Err(error) = poll(&mut socket, PollTimeout::NONE) {
            if error != Errno::EINTR {
                return Err(error.into());
            }
        }
        Ok(self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// None at the end, also when it came from [`Line::close`].
    pub fn receive(&self) -> io::Result<Option<wire::Received<Request>>> {
        let greeted = self.greeted.load(Ordering::Acquire);
        let largest = if greeted { wire::MAX_MESSAGE } else { GREETING };
        let received = wire::receive_from(&self.socket, self.uid, MESSAGE_TIME, largest);
        if self.closed.load(Ordering::Acquire) { Ok(None) } else { received }
    }

    /// A peer that does not read is dropped: half a message would be worse than none.
    pub fn send(&self, message: &Message) -> io::Result<()> {
        self.send_with(message, None)
    }

    /// The same, with a descriptor.
    pub fn send_with(&self, message: &Message, descriptor: Option<BorrowedFd>) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let fds: Vec<_> = descriptor.into_iter().collect();
        wire::send(&self.socket, message, &fds).inspect_err(|_| self.close())
    }

    /// The answer to its last message is on its way; the first is a greeting.
    pub fn answered(&self, greeting: bool) {
        if greeting {
            self.greeted.store(true, Ordering::Release);
        } else {
            self.settled.store(true, Ordering::Release);
        }
    }

    /// How much longer it would be rude to end it: it has hardly begun.
    pub fn settles_in(&self) -> Option<Duration> {
        if self.settled.load(Ordering::Acquire) {
            return None;
        }
        SETTLE_TIME.checked_sub(self.opened.elapsed()).filter(|left| !left.is_zero())
    }

    /// On a thread of its own: a peer that does not read would hold up everybody behind it.
    pub fn tell(self: &Arc<Self>, notice: Notice) {
        self.later(move |line| {
            line.notify(notice);
        });
    }

    /// The last that it hears.
    pub fn tell_and_close(self: &Arc<Self>, notice: Notice) {
        self.later(move |line| {
            line.notify(notice);
            line.close();
        });
    }

    fn notify(&self, notice: Notice) {
        if self.greeted.load(Ordering::Acquire) {
            let _ = self.send(&Message::Notice { notice }); // else it is closed
        }
    }

    fn later(self: &Arc<Self>, act: impl FnOnce(&Self) + Send + 'static) {
        let line = Arc::clone(self);
        let thread = thread::Builder::new().name("notice".into()).spawn(move || act(&line));
        if let Err(error) = thread {
            tracing::error!(%error, "a notice could not be sent");
            self.close();
        }
    }

    /// As [`Line::close`], but the answer to a message that was received still goes out.
    pub fn end(&self) {
        self.closed.store(true, Ordering::Release);
        let _ = self.socket.shutdown(Shutdown::Read); // not connected any more: as good
    }

    /// The reader sees the end, whatever the peer has sent before.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _ = self.socket.shutdown(Shutdown::Both); // not connected any more: as good
    }
}
