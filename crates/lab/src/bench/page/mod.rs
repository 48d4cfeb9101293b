//! The page that `make bench` writes.

pub mod machine;

use super::record::Record;

/// The whole page.
pub fn page(_record: &Record) -> String {
    String::new()
}
