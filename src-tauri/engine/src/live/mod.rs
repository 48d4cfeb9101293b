//! The live table of connections: rows that relays write to without a lock, and a feed of what changed, at most
//! five times a second and only while somebody looks.

mod feed;
mod row;
mod table;

pub use feed::Feed;
pub use row::Row;
pub use table::{Opened, Table};

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
