//! Two ends of the protocol over a simulated pipe, in virtual time: nothing sleeps, nothing is left to chance.
//!
//! `pair` drives the ends, `link` is a plain pipe between them and `path` one with ssh, TCP and a bottleneck in it, `drive`
//! is one end alone, `wire` spells frames by hand. `flow` holds what is measured of latency and rate. The others are tests.

mod allocations;
mod capacity;
mod drive;
mod fairness;
mod flow;
mod handshake;
mod hostile;
mod limits;
mod link;
mod messages;
mod pair;
mod path;
mod properties;
mod streams;
mod wire;
