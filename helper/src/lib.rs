//! The only part of Ropeway that has root: it installs redirect rules for the sessions of its client, and undoes them
//! when the client is gone. It never runs a command, opens a path that a client names, or talks to the network.
//!
//! ```text
//! server   reads and writes messages        client   what one client may say
//! rules    which sessions there are, and their table as a plain value (pure, tested on every OS)
//! hosts    names in the hosts file          undo     what a helper that died left behind
//! linux/   that table in the kernel, cgroups, marks, the process itself; elsewhere.rs where that is not built yet
//! ```
//! Start with `rules::render` for what is captured, with `server` for how a request is served.

pub mod client;
pub mod grants;
pub mod hosts;
pub mod install;
pub mod kill;
mod line;
pub mod rules;
pub mod server;
pub mod state;
pub mod store;
pub mod undo;
pub mod watch;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
pub mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
pub mod platform;
