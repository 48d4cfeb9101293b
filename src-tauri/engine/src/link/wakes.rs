//! Which streams the pump has to look at, and how it is woken for them.

use std::{
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Wake, Waker},
};

use ropeway_mux::StreamId;

/// Streams with news, and the pump that wants to hear.
#[derive(Default)]
pub(super) struct Wakes {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    streams: Vec<StreamId>,
    /// Something happened that is no stream's.
    called: bool,
    pump: Option<Waker>,
}

/// A waker's address: one stream of one link.
struct Address {
    wakes: Arc<Wakes>,
    id: StreamId,
}

impl Wakes {
    /// A waker that names this stream to the pump.
    pub(super) fn of(self: &Arc<Self>, id: StreamId) -> Waker {
        Arc::new(Address { wakes: self.clone(), id }).into()
    }

    pub(super) fn wake(&self, id: StreamId) {
        let mut inner = self.inner();
        inner.streams.push(id);
        let pump = inner.pump.take();
        drop(inner);
        pump.into_iter().for_each(Waker::wake);
    }

    /// There is something to send that belongs to no stream of the list.
    pub(super) fn call(&self) {
        let mut inner = self.inner();
        inner.called = true;
        let pump = inner.pump.take();
        drop(inner);
        pump.into_iter().for_each(Waker::wake);
    }

    /// Puts the streams with news into `streams`, which is empty; else the context is woken when there are some. Whether there
    /// is anything to do.
    pub(super) fn take(&self, streams: &mut Vec<StreamId>, context: &Context) -> bool {
        let mut inner = self.inner();
        std::mem::swap(&mut inner.streams, streams);
        let news = take(&mut inner.called) || !streams.is_empty();
        if !news && !inner.pump.as_ref().is_some_and(|pump| pump.will_wake(context.waker())) {
            inner.pump = Some(context.waker().clone());
        }
        news
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Address {
    fn wake(self: Arc<Self>) {
        self.wakes.wake(self.id);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.wake(self.id);
    }
}
