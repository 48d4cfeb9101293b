//! A stream as its task sees it: it waits for the end.

use std::{future::poll_fn, sync::Arc, task::Poll};

use ropeway_mux::{Reason, StreamId};

use super::Shared;

/// A handle; dropping it resets what is not finished.
pub struct Stream {
    kind: Kind,
}

enum Kind {
    Open {
        shared: Arc<Shared>,
        id: StreamId,
    },
    /// It never came to be.
    Cut(Cut),
}

/// Why a stream was not carried to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The target did not take it.
    Refused(Reason),
    /// The far side cut it.
    Far,
    /// The program cut it.
    Near,
    /// The whole tunnel has ended.
    Link,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>, id: StreamId) -> Self {
        Self { kind: Kind::Open { shared, id } }
    }

    pub(super) fn cut(why: Cut) -> Self {
        Self { kind: Kind::Cut(why) }
    }

    /// Ok when both ends have said everything and have it.
    pub async fn ended(&self) -> Result<(), Cut> {
        match &self.kind {
            Kind::Cut(why) => Err(*why),
            Kind::Open { shared, id } => {
                poll_fn(|context| match shared.state().slots.get_mut(id) {
                    Some(slot) => slot.poll_ended(context),
                    None => Poll::Ready(Err(Cut::Link)),
                })
                .await
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Kind::Open { shared, id } = &self.kind else { return };
        let now = shared.now();
        let mut state = shared.state();
        let slot = state.slots.remove(id);
        // of a stream that has ended in order there is nothing left to reset
        state.mux.reset(*id, Reason::Reset, now);
        drop(state);
        // its program's last words may wake somebody
        drop(slot);
        shared.wakes.call();
    }
}
