//! Linux: a D-Bus service, and pkexec to put it there.

pub mod as_root;
pub mod bus;
mod service_file;
mod terminal;
