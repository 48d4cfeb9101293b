//! Drives the real executable over real pipes, against real servers on the loopback.
//!
//! [`client`] is the other end of the pipe, [`servers`] are the targets; the rest are tests by subject.

mod client;
mod servers;

#[cfg(target_os = "linux")]
mod crowds;
mod ending;
mod limits;
mod starting;
mod streams;
