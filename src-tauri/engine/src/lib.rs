//! Everything Ropeway does that is not drawing and not root: profiles, ssh, the mux, listeners, the session
//! machine. Window, tray and command line are thin faces of one API: [`api::Command`] in, [`api::Event`] out.
//!
//! No Tauri in here. What needs root is asked of the helper. Start reading at `api`, then `engine`, then
//! `session::up`, which is one tunnel from beginning to end.

mod agents;
pub mod api;
pub mod control;
mod desk;
mod engine;
mod explain;
pub mod guard;
mod helper;
pub mod hosts;
mod hub;
pub mod import;
mod link;
mod listen;
mod live;
mod memory;
mod meters;
mod names;
mod ours;
pub mod profile;
mod routes;
mod runtime;
mod session;
mod setup;
mod setup_helper;
pub mod share;
mod spelling;
mod ssh;
pub mod subnet;
mod sys;
#[cfg(test)]
mod testing;
mod thread;
mod udp;
mod users;
pub mod words;

pub use engine::Engine;
pub use hub::Subscription;
pub use profile::latency;
pub use setup::Setup;
