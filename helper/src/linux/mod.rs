//! Linux: the table through our own netlink socket, cgroups, marks, and the process itself.
//!
//! `table` is the [`Firewall`](crate::rules::Firewall); `encode` turns a script into netlink messages, `readback` asks
//! what the kernel made of them; `netlink` knows messages and sockets but no firewall; `numbers` are the kernel's.

mod descriptors;
mod encode;
mod netlink;
mod numbers;
mod readback;
mod start;
mod table;

pub use descriptors::{DescriptorError, cgroup, mark};
pub use start::{StartError, start};
pub use table::Table;
