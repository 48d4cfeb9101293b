//! One connection: a thread that reads and answers, and others that have something to say.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ropeway_helper_api::{Message, Notice, Request, wire};

use crate::rules::ClientId;

/// How long a message that has begun may take, in each direction. The largest one (10 MB) crosses a local socket in
/// milliseconds.
const MESSAGE_TIME: Duration = Duration::from_secs(10);

pub struct Line {
    pub client: ClientId,
    /// Who is at the other end, according to the kernel or the bus.
    pub uid: u32,
    socket: UnixStream,
    writing: Mutex<()>,
    /// Only then notices may come.
    greeted: AtomicBool,
    closed: AtomicBool,
}

impl Line {
    pub fn new(client: ClientId, uid: u32, socket: UnixStream) -> io::Result<Self> {
        socket.set_write_timeout(Some(MESSAGE_TIME))?;
        let [greeted, closed] = [false, false].map(AtomicBool::new);
        Ok(Self { client, uid, socket, writing: Mutex::default(), greeted, closed })
    }

    /// None at the end, also when it came from [`Line::close`].
    pub fn receive(&self) -> io::Result<Option<wire::Received<Request>>> {
        let received = wire::receive_from(&self.socket, self.uid, MESSAGE_TIME);
        if self.closed.load(Ordering::Acquire) { Ok(None) } else { received }
    }

    /// A peer that does not read is dropped: half a message would be worse than none.
    pub fn send(&self, message: &Message) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&self.socket, message, &[]).inspect_err(|_| self.close())
    }

    /// The greeting is on its way.
    pub fn greeted(&self) {
        self.greeted.store(true, Ordering::Release);
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

    /// The reader sees the end, whatever the peer has sent before.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _ = self.socket.shutdown(Shutdown::Both); // not connected any more: as good
    }
}
