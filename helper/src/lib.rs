//! The only part of Ropeway that has root: it installs redirect rules for the sessions of its clients, and undoes each
//! client's when that is gone. It never runs a command, opens a path that a client names, or talks to the network.
//!
//! ```text
//! server   one thread for each connection   client   what one client may say, and what its grant covers
//! state    what all clients share           grants   which users may use the helper, and for what
//! watch    mends what others have changed
//! rules    which sessions there are, and their table as a plain value (pure, tested on every OS)
//! hosts    names in the hosts file          undo     what a helper that died left behind
//! linux/   that table in the kernel, cgroups, marks, the system bus, the sandbox; elsewhere.rs where there is none yet
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
