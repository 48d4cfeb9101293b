//! Two ends of the protocol over a simulated pipe, in virtual time: nothing sleeps, nothing is left to chance.
//!
//! `pair` drives the ends, `link` is the pipe between them, `wire` spells frames by hand. The others are tests.

mod allocations;
mod capacity;
mod fairness;
mod handshake;
mod hostile;
mod limits;
mod link;
mod messages;
mod pair;
mod properties;
mod streams;
mod wire;
