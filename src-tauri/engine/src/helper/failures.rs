//! The helper's refusals, and the bus's, as failures for people.

use std::io;

use ropeway_helper_api::{HelperCode, HelperError, Reply, bus};

use crate::api::{Code, Failure};

/// Who they are about.
const SUBJECT: &str = "this computer";

pub fn missing(detail: impl Into<String>) -> Failure {
    Failure::new(Code::HelperMissing, SUBJECT, detail)
}

pub fn old(detail: impl Into<String>) -> Failure {
    Failure::new(Code::HelperOld, SUBJECT, detail)
}

/// The line ended before the answer.
pub fn gone(error: &io::Error) -> Failure {
    Failure::new(Code::HelperGone, SUBJECT, error.to_string())
}

/// What was answered, unless it is a refusal or nothing at all.
pub fn heard(answer: io::Result<Reply>) -> Result<Reply, Failure> {
    match answer {
        Ok(Reply::Error(error)) => Err(of(&error)),
        Ok(reply) => Ok(reply),
        Err(error) => Err(gone(&error)),
    }
}

/// An answer to another question.
pub fn unexpected(reply: &Reply) -> Failure {
    Failure::new(Code::Internal, SUBJECT, format!("the helper answered {reply:?}"))
}

/// A refusal on the line.
pub fn of(error: &HelperError) -> Failure {
    let code = match error.code {
        HelperCode::Busy => Code::HelperBusy,
        HelperCode::Version => Code::HelperOld,
        HelperCode::Firewall => Code::Firewall,
        HelperCode::Unsupported => Code::Unsupported,
        HelperCode::NotGranted => Code::NotGranted,
        HelperCode::Hosts => Code::Hosts,
        HelperCode::Limit => Code::Resources,
        HelperCode::Malformed | HelperCode::Plan | HelperCode::Descriptor => Code::Internal,
    };
    Failure::new(code, SUBJECT, &error.detail)
}

/// A refusal on the bus, by its D-Bus error name. What is not the helper's own says that it could not be started.
pub fn on_bus(name: &str, detail: &str) -> Failure {
    let code = match name {
        bus::ERROR_NOT_GRANTED => Code::NotGranted,
        bus::ERROR_DENIED => Code::Denied,
        bus::ERROR_LIMIT => Code::Resources,
        bus::ERROR_INVALID => Code::Internal,
        _ => return missing(format!("{name}: {detail}")),
    };
    Failure::new(code, SUBJECT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_says_who_refused() {
        for (name, code) in [
            (bus::ERROR_NOT_GRANTED, Code::NotGranted),
            (bus::ERROR_DENIED, Code::Denied),
            (bus::ERROR_LIMIT, Code::Resources),
            ("org.freedesktop.DBus.Error.ServiceUnknown", Code::HelperMissing),
            ("org.freedesktop.DBus.Error.TimedOut", Code::HelperMissing),
            ("org.freedesktop.DBus.Error.Spawn.ChildExited", Code::HelperMissing),
            ("org.freedesktop.systemd1.UnitMasked", Code::HelperMissing),
        ] {
            assert_eq!(on_bus(name, "").code, code, "{name}");
        }
    }
}
