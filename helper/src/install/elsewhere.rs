//! Where the service is not built yet: the same signatures as `system.rs`.

use super::InstallError;

pub fn reload() -> Result<(), InstallError> {
    Err(InstallError::Unsupported)
}

pub fn end_running() -> Result<(), InstallError> {
    Err(InstallError::Unsupported)
}
