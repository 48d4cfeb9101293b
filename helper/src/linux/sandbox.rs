//! Gives up what root has and the helper does not need. systemd does the same and more; under plain D-Bus activation
//! and under pkexec this is all there is.

use std::io;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use nix::sys::{
    prctl,
    stat::{Mode, umask},
};

/// Why the helper does not start: with more power than it needs it would not be the program that was reviewed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("capabilities: {0}")]
    Capabilities(#[from] CapsError),
    #[error("prctl: {0}")]
    Prctl(#[from] nix::Error),
}

/// Of all capabilities only `CAP_NET_ADMIN` is left, for good. Root's own files (hosts, state) need none: they belong
/// to uid 0. Call it before any thread is made, because capabilities are a thread's.
pub fn enter() -> Result<(), SandboxError> {
    let needed = CapsHashSet::from([Capability::CAP_NET_ADMIN]);
    shrink_bounding_set(&needed)?;
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    let had: CapsHashSet = caps::read(None, CapSet::Permitted)?.intersection(&needed).copied().collect();
    caps::set(None, CapSet::Effective, &had)?;
    caps::set(None, CapSet::Permitted, &had)?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

/// Needs `CAP_SETPCAP`, which a process may lack whose bounding set was never empty: a container's root. What it cannot
/// drop there, it cannot get either, because of `no_new_privs`.
fn shrink_bounding_set(needed: &CapsHashSet) -> Result<(), CapsError> {
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        return Ok(());
    }
    let unneeded = |capability: &&Capability| !needed.contains(capability);
    caps::read(None, CapSet::Bounding)?
        .iter()
        .filter(unneeded)
        .try_for_each(|capability| caps::drop(None, CapSet::Bounding, *capability))
}

/// Everything above standard error, which whoever started us forgot to close. Kernels before 5.9 cannot do it; there
/// the starters are trusted to have done it themselves.
pub fn close_inherited() {
    // SAFETY: called before anything of this process has opened a descriptor
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    if result != 0 {
        tracing::warn!(error = %io::Error::last_os_error(), "inherited descriptors stay open");
    }
}
