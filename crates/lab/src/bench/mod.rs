//! How fast it is, beside plain ssh in the same run: what `make bench` measures and writes down.
//!
//! [`measure`] runs the programs, [`report`] makes the page; no test lives here, and no speed is asserted anywhere.

pub mod measure;
pub mod report;
