//! Linux: the tables through our own netlink socket, cgroups, marks, and the process itself.
//!
//! `kernel` is the [`Firewall`](crate::rules::Firewall), with a `table` for each of ours; `encode` and `expressions` turn
//! a script into netlink messages, `readback` asks what the kernel made of them; `conntrack` forgets flows;
//! `netlink` knows messages and sockets but no firewall; `numbers` are the kernel's.

mod conntrack;
mod descriptors;
mod encode;
mod expressions;
mod kernel;
mod netlink;
mod numbers;
mod readback;
mod start;
mod table;

pub use descriptors::{DescriptorError, cgroup, mark};
pub use kernel::Kernel;
pub use start::{StartError, start};
