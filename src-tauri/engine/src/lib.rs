//! Everything Ropeway does that is not drawing and not root: profiles, ssh, the mux, listeners, the session
//! machine. Window, tray and command line are thin faces of one API: [`api::Command`] in, [`api::Event`] out.
//!
//! No Tauri in here. What needs root is asked of the helper. Start reading at `api`, then `engine`.

pub mod api;
mod engine;
pub mod guard;
pub mod profile;
mod setup;
mod spelling;
pub mod subnet;
#[cfg(test)]
mod testing;
pub mod words;

pub use engine::{Engine, Subscription};
pub use setup::Setup;
