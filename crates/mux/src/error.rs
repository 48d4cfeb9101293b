//! Why a connection ended: the peer does not speak our protocol, or not our version of it.

/// The peer broke the protocol; the connection is dead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The output never held the start marker of an agent.
    #[error("no agent answered: no start marker in the first {0} bytes")]
    NoMarker(usize),
}
