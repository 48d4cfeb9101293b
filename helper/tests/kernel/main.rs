//! The real program and the real kernel: what is captured, what is kept closed, what is not, and that nothing stays
//! behind. Needs root, nft, iproute2 and iptables; says so and passes without root.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod blocks;
mod capture;
mod driver;
mod exempt;
mod iptables;
mod life;
mod meter;
mod names;
mod noticing;
mod prelude;
mod rejects;
mod remembered;
mod replace;
mod router;
mod udp;
mod world;
