//! Questions to name servers: captured here, answered on the server or by the network's own servers.
//!
//! ```text
//! message    what is in a DNS message (pure)          decide    which questions a profile means (pure)
//! ask        asks on the server, through the link     together  which of several tunnels answers
//! listen     where captured questions arrive          direct    asks the network's own servers, around the tunnel
//! serve      takes them, and brings the answers back  flush     makes this computer's cache forget
//! ```
//! Messages travel whole: what is not read here (EDNS, signatures, other types) is not changed either.

pub mod ask;
pub mod decide;
pub mod direct;
pub mod flush;
pub mod listen;
pub mod message;
pub mod network;
pub mod serve;
pub mod together;
