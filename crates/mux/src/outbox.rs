//! Control frames on their way out: what opens, ends and credits streams, then messages outside any stream.
//!
//! Everything here goes before data and in the order in which it was queued. Frames are not queued as bytes but as
//! what they are about, so that a limit is the one of the moment and a stream that is gone sends nothing late.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Reason, frame::MAX_CONTROL, stream::MAX_STREAMS};

/// Most frames that wait: OPENED, WINDOW and EOF of every stream and one RESET each. More means that the peer opens and
/// opens and reads no answers.
const MAX_NOTICES: usize = 4 * MAX_STREAMS;

/// Most bytes of messages that wait: three of the largest and some hundred small ones.
const MAX_MESSAGES: usize = 4 * MAX_CONTROL;

/// Places that are kept when nothing waits, so that a busy stream's WINDOWs allocate nothing: 4 KiB.
const KEPT: usize = 256;

/// A frame about one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Notice {
    Open(u32),
    Opened(u32),
    Refused(u32, Reason),
    Window(u32),
    Eof(u32),
    Reset(u32, Reason),
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    notices: VecDeque<Notice>,
    messages: VecDeque<(u8, Bytes)>,
    message_bytes: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    pub(crate) fn notice(&self) -> Option<Notice> {
        self.notices.front().copied()
    }

    pub(crate) fn drop_notice(&mut self) {
        self.notices.pop_front();
        if self.notices.is_empty() && self.notices.capacity() > KEPT {
            self.notices = VecDeque::new();
        }
    }

    /// Whether the peer must not cause more frames before it has read some.
    pub(crate) fn is_full(&self) -> bool {
        self.notices.len() >= MAX_NOTICES
    }

    /// Queue a message; false if it is too large or too much waits.
    pub(crate) fn push_message(&mut self, kind: u8, data: Bytes) -> bool {
        // An empty message costs a place in the queue too.
        let cost = data.len() + size_of::<(u8, Bytes)>();
        let fits = data.len() <= MAX_CONTROL && self.message_bytes + cost <= MAX_MESSAGES;
        if fits {
            self.message_bytes += cost;
            self.messages.push_back((kind, data));
        }
        fits
    }

    pub(crate) fn message(&self) -> Option<&(u8, Bytes)> {
        self.messages.front()
    }

    pub(crate) fn drop_message(&mut self) {
        if let Some((_, data)) = self.messages.pop_front() {
            self.message_bytes -= data.len() + size_of::<(u8, Bytes)>();
        }
    }

    /// Memory of what waits.
    pub(crate) fn bytes(&self) -> usize {
        self.notices.len() * size_of::<Notice>() + self.message_bytes
    }
}
