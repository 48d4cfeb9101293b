//! How fast it is, beside other tunnels and plain ssh in the same run: what `make bench` measures and writes down.
//!
//! [`stage`] is the lab with what is measured against, [`tunnel`] are the tunnels, [`load`] is what is done through
//! them, [`parts`] are the measurements, [`record`] keeps the numbers, [`page`] makes the page. No speed is asserted
//! anywhere: tests do not live here.

pub mod limits;
pub mod load;
pub mod page;
pub mod parts;
pub mod record;
pub mod stage;
pub mod stats;
pub mod target;
pub mod tunnel;
pub mod usage;
