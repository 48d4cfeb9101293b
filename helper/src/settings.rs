//! Where things are. Tests may say otherwise by the environment: whoever sets the environment of a process of root is
//! root, because neither the bus nor systemd nor pkexec passes on a caller's.

use std::{env, path::PathBuf, time::Duration};

use ropeway_helper::{hosts, store};

/// After so long without a connection or a call the service ends: long enough for an engine that reconnects, short
/// enough that an update finds no old helper.
const IDLE: Duration = Duration::from_secs(30);

pub struct Settings {
    /// `ROPEWAY_HELPER_STATE`
    pub state: PathBuf,
    /// `ROPEWAY_HELPER_HOSTS`
    pub hosts: PathBuf,
    /// `ROPEWAY_HELPER_IDLE`, in milliseconds
    pub idle: Duration,
}

impl Settings {
    pub fn of_process() -> Self {
        let idle = env::var("ROPEWAY_HELPER_IDLE").ok().and_then(|text| text.parse().ok());
        Self {
            state: env::var_os("ROPEWAY_HELPER_STATE").map_or_else(|| store::FOLDER.into(), PathBuf::from),
            hosts: env::var_os("ROPEWAY_HELPER_HOSTS").map_or_else(|| hosts::FILE.into(), PathBuf::from),
            idle: idle.map_or(IDLE, Duration::from_millis),
        }
    }
}
