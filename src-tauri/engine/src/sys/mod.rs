//! What each operating system does its own way: leaf modules with equal signatures, and nothing that decides.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{appearance, apps, cgroup, descriptors, identity, interfaces, owner, redirect};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::{appearance, apps, cgroup, descriptors, identity, interfaces, owner, redirect};
