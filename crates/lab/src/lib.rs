//! A network on this machine that nothing but a tunnel can reach, for tests and for trying things out.
//!
//! ```text
//! client ──┐                        the internet: 198.51.100.0/24, 2001:db8:51::/64
//! jump ────┼── hub (a public web server; everything else is "no route")
//! server ──┘
//! jump ────── server                a link of their own: 192.168.30.0/24, fd30::/64
//! server ──── private               10.20.0.0/16, fd20::/48: web, echo, a closed port, dead addresses
//! ```
//!
//! Each host is a network namespace; jump, server and private (and, to provoke mistakes, the client) run the system's
//! own sshd, the hub a name server, the client a system bus that starts the helper. The client is a person's computer:
//! what runs there has no privilege, unless [`Host::as_root`] is asked for. A slow and long way between two hosts is a
//! [`link`]. What lives here is the network and what tests need to drive programs in it; what a tunnel is, this crate
//! does not know; only [`bench`] does, which measures them.
//! Start at [`Lab`], then [`Host`]; tests of the command line start at [`harness::Ropeway`].

#![warn(missing_docs)]

mod accounts;
mod cgroups;
mod change;
mod congestion;
mod enter;
mod files;
mod host;
mod lab;
mod needs;
mod network;
mod processes;
mod system_bus;

pub mod bench;
pub mod harness;
pub mod link;
pub mod serve;
pub mod stream;
pub mod system;
pub mod window;

pub use files::HOSTS;
pub use host::Host;
pub use lab::{Info, Lab};
pub use network::{DOMAIN, Family, Place, SERVER_NAME, ports};
pub use processes::Process;
