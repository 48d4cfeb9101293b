//! Linux: the tables through our own netlink socket, cgroups, marks, the system bus, and the process itself.
//!
//! `kernel` is the [`Firewall`](crate::rules::Firewall), with a `table` for each of ours; `encode` and `expressions` turn
//! a script into netlink messages, `readback` asks what the kernel made of them; `conntrack` forgets flows; `iptables` is
//! for machines without nft; `udp` makes devices and the routes to them;
//! `netlink` knows messages and sockets but no firewall; `numbers` are the kernel's. `bus` is the service that hands out
//! connections; `sandbox` gives up what the process does not need.

mod bus;
mod conntrack;
mod descriptors;
mod encode;
mod expressions;
mod iptables;
mod kernel;
mod netlink;
mod numbers;
mod readback;
mod sandbox;
mod start;
mod table;
mod udp;

pub use bus::{BusError, serve as serve_bus};
pub use descriptors::{DescriptorError, cgroup, mark};
pub use iptables::undo as undo_iptables;
pub use kernel::Kernel;
pub use sandbox::{SandboxError, close_inherited, enter as enter_sandbox};
pub use start::{StartError, check_privilege, connection, raise_file_limit};
pub use udp::undo as undo_udp;
