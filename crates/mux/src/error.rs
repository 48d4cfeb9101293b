//! Why a connection ended: the peer does not speak our protocol, or another version of it.
//!
//! Each of these is final and nobody decides by the kind, except that `NoMarker` and `Version` have their own words
//! for people: no agent answered, or an old one did.

/// The peer broke the protocol; the connection is dead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The output never held the start marker of an agent.
    #[error("no agent answered: no start marker in {0} bytes")]
    NoMarker(usize),
    /// The peer is of another epoch: nothing it says can be relied on.
    #[error("the other end speaks version {theirs} of the protocol, this end {ours}")]
    Version {
        /// Our epoch.
        ours: u32,
        /// The peer's epoch.
        theirs: u32,
    },
    /// No frame has this kind.
    #[error("unknown kind of frame {0:#04x}")]
    UnknownKind(u8),
    /// A frame announces more bytes than its kind may have.
    #[error("{frame} frame too long")]
    TooLong {
        /// The kind's name.
        frame: &'static str,
    },
    /// The body of a frame does not have the fields of its kind.
    #[error("malformed {0} frame")]
    Malformed(&'static str),
    /// The frame is well formed and not allowed here: wrong end, too early, or a second time.
    #[error("unexpected {0} frame")]
    Unexpected(&'static str),
    /// The frame names a stream that was never opened.
    #[error("stream {0} was never opened")]
    UnknownStream(u32),
    /// More bytes for a stream than it had credit for.
    #[error("more data than credit on stream {0}")]
    Credit(u32),
    /// An acknowledgement of bytes that were not sent, or fewer than before.
    #[error("acknowledged {received} of {sent} bytes sent")]
    Acknowledged {
        /// What the peer says it has received.
        received: u64,
        /// What we have sent.
        sent: u64,
    },
    /// The peer asks for ever more and reads no answers.
    #[error("the other end reads no answers")]
    Flood,
}
