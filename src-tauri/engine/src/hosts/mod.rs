//! Names of computers near servers: what the agents find becomes lines of this computer's hosts file.
//!
//! ```text
//! name   what a name that was found is called here (pure)
//! table  all names of all profiles, and what became of each
//! keep   one tunnel: from the agent's reports to the helper's file
//! feed   the table for those who look at it
//! alone  the agent's search without a tunnel
//! ```
//! Which names may stand in the file is the helper's to decide; here it is only told why one does not.

pub mod alone;
mod feed;
mod keep;
mod name;
mod table;

pub use feed::Feed;
pub use keep::keep;
pub use table::Table;
