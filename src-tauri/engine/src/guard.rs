//! A small process between the engine and ssh, so that ssh ends when the engine does, however it dies.

/// The first argument of a program of ours that is to be a guard and nothing else.
pub const ARGUMENT: &str = "__guard";

/// Every program that holds an engine calls this first in `main`: when it was started as a guard, it is one and
/// never returns.
pub fn run_if_asked() {}
