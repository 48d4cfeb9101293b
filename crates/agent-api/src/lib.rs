//! What the engine and the agent say to each other beside streams: the meaning of the mux's control messages and
//! datagrams. Pure: values to bytes and back, no I/O, nothing of how they travel.
//!
//! ```text
//! control    Request (engine to agent), Report (agent to engine): routes, names of the hosts file, names near the server
//! datagrams  by flow: Question and Answer of name servers, Datagram of programs
//! ```
//! What both ends have to read alike is here, too: whether a DNS message answers a question, and `resolv.conf`.
//! Numbers are big-endian. Both ends are of one build (the engine brings its agent along), so a message has no version of its
//! own; a kind that an end does not know is passed over.

#![warn(missing_docs)]

mod answers;
mod datagram;
mod hosts;
mod names;
mod report;
mod request;
pub mod resolv_conf;
mod routes;
mod wire;

pub use answers::answers;
pub use datagram::{Datagram, Undelivered};
pub use hosts::{FoundHost, Source};
pub use names::{Answer, NoAnswer, Question, Transport};
pub use report::Report;
pub use request::Request;
pub use routes::Routes;
pub use wire::Malformed;

/// What the datagrams of a flow are.
pub mod flow {
    /// [`Question`](crate::Question)s to name servers one way, [`Answer`](crate::Answer)s the other.
    pub const NAMES: u32 = 0;
    /// [`Datagram`](crate::Datagram)s of programs, both ways.
    pub const UDP: u32 = 1;
    /// Echo requests one way, answers the other, as [`Datagram`](crate::Datagram)s.
    pub const ECHO: u32 = 2;
}
