//! A stream as its task sees it. Reading and writing may be awaited at the same time (one of each).

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use ropeway_mux::{Reason, StreamId};

use super::{Shared, Slot, State};

/// A handle; dropping it resets what is not finished.
pub struct Stream {
    shared: Arc<Shared>,
    id: StreamId,
}

/// What arrives on a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Say [`Stream::consumed`] when they are out of our hands.
    Data(Bytes),
    /// The far end has said everything.
    Eof,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>, id: StreamId) -> Self {
        Self { shared, id }
    }

    /// Whether the target took the connection, though it may have cut it since.
    pub async fn opened(&self) -> Result<(), Reason> {
        self.poll(|slot, context| match (slot.opened, slot.end) {
            (true, _) => Poll::Ready(Ok(())),
            (false, Some(reason)) => Poll::Ready(Err(reason)),
            (false, None) => wait(&mut slot.reader, context),
        })
        .await
    }

    /// The next bytes; Err when the stream was cut, after everything that came before the cut.
    pub async fn receive(&self) -> Result<Received, Reason> {
        self.poll(|slot, context| match (slot.inbox.pop_front(), slot.end) {
            (Some(data), _) => Poll::Ready(Ok(Received::Data(data))),
            (None, Some(reason)) => Poll::Ready(Err(reason)),
            (None, None) if slot.eof => Poll::Ready(Ok(Received::Eof)),
            (None, None) => wait(&mut slot.reader, context),
        })
        .await
    }

    /// Gives the sender its credit back.
    pub fn consumed(&self, bytes: usize) {
        self.shared.state().mux.consumed(self.id, bytes);
        self.shared.wake.notify_one();
    }

    /// How many bytes [`Stream::send`] takes now, at least one.
    pub async fn room(&self) -> Result<usize, Reason> {
        poll_fn(|context| {
            let mut state = self.shared.state();
            let State { mux, streams, .. } = &mut *state;
            let Some(slot) = streams.get_mut(&self.id) else { return Poll::Ready(Err(Reason::Failed)) };
            match (slot.end, mux.send_room(self.id)) {
                (Some(reason), _) => Poll::Ready(Err(reason)),
                (None, 0) => wait(&mut slot.writer, context),
                (None, room) => Poll::Ready(Ok(room)),
            }
        })
        .await
    }

    /// Queues at most [`Stream::room`] bytes.
    pub fn send(&self, data: Bytes) {
        self.shared.state().mux.send(self.id, data);
        self.shared.wake.notify_one();
    }

    /// We have said everything; the far end may go on.
    pub fn finish(&self) {
        self.shared.state().mux.finish(self.id);
        self.shared.wake.notify_one();
    }

    /// Cuts both directions.
    pub fn reset(&self, reason: Reason) {
        let mut state = self.shared.state();
        state.mux.reset(self.id, reason);
        if let Some(slot) = state.streams.get_mut(&self.id) {
            slot.end.get_or_insert(reason);
        }
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Whether the whole tunnel has ended, which is why a stream of it has.
    pub fn link_ended(&self) -> bool {
        self.shared.state().ended
    }

    async fn poll<T>(
        &self,
        mut ready: impl FnMut(&mut Slot, &Context) -> Poll<Result<T, Reason>>,
    ) -> Result<T, Reason> {
        poll_fn(|context| match self.shared.state().streams.get_mut(&self.id) {
            Some(slot) => ready(slot, context),
            None => Poll::Ready(Err(Reason::Failed)),
        })
        .await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.streams.remove(&self.id);
        // of a stream that has ended in order there is nothing left to reset
        state.mux.reset(self.id, Reason::Reset);
        drop(state);
        self.shared.wake.notify_one();
    }
}

fn wait<T>(waker: &mut Option<Waker>, context: &Context) -> Poll<T> {
    *waker = Some(context.waker().clone());
    Poll::Pending
}
