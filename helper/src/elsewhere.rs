//! Where the kernel's part is not built yet: the same signatures as `linux/mod.rs`, and a clear refusal. The rules,
//! the client and the server are compiled and tested here all the same.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

use crate::{
    rules::{Cgroup, Firewall, FirewallError, Script, Table},
    server::Server,
};

const NOT_SUPPORTED: &str = "this system is not supported yet";

/// A descriptor is missing or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptorError(pub String);

/// Why the helper cannot serve anybody.
#[derive(Debug, thiserror::Error)]
#[error("{NOT_SUPPORTED}")]
pub struct StartError;

/// The connection, and the user at its other end.
pub fn connection() -> Result<(UnixStream, u32), StartError> {
    Err(StartError)
}

pub fn check_privilege() -> Result<(), StartError> {
    Err(StartError)
}

pub fn enter_sandbox() -> Result<(), StartError> {
    Err(StartError)
}

pub fn close_inherited() {}

pub fn raise_file_limit() {}

pub fn serve_bus<F>(_: &Arc<Server<F>>, _: Duration) -> Result<(), StartError> {
    Err(StartError)
}

#[derive(Default)]
pub struct Kernel {}

/// Nothing of that kind is loaded here.
pub fn undo_iptables(_: &crate::store::Store) -> Result<(), FirewallError> {
    Ok(())
}

/// The same.
pub fn undo_udp() -> Result<(), FirewallError> {
    Ok(())
}

impl Firewall for Kernel {
    fn replace(&mut self, _: &Script) -> Result<(), FirewallError> {
        Err(FirewallError::Refused(NOT_SUPPORTED.into()))
    }

    fn remove(&mut self, _: Table) -> Result<(), FirewallError> {
        Ok(())
    }
}

pub fn cgroup(_: &OwnedFd, _: u32) -> Result<Cgroup, DescriptorError> {
    Err(DescriptorError(NOT_SUPPORTED.into()))
}

pub fn mark(_: Option<OwnedFd>, _: u32) -> Result<(), DescriptorError> {
    Err(DescriptorError(NOT_SUPPORTED.into()))
}
