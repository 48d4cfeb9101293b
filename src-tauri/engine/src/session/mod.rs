//! One profile's tunnel: what state it is in ([`machine`], pure) and what is done about it ([`tunnel`], one task).
//!
//! The machine never touches a process or a socket; the task never decides what a failure means.

mod backoff;
pub mod closed;
pub mod conflicts;
mod machine;
mod picture;
pub mod reach;
mod rules;
mod serve;
pub mod tunnel;
pub mod up;
pub mod ups;
