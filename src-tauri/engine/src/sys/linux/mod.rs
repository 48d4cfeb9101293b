//! Linux.

pub mod appearance;
pub mod apps;
pub mod cgroup;
pub mod descriptors;
pub mod identity;
pub mod interfaces;
pub mod owner;
pub mod redirect;
