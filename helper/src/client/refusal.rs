//! Refusals: how every error becomes an answer.

use std::io;

use ropeway_helper_api::{HelperCode, HelperError, PlanError, Reply};

use super::{Answer, permit::Denial};
use crate::{
    hosts::HostsError,
    platform::DescriptorError,
    rules::{FirewallError, LoadError},
};

/// The answer to bytes that were no message; None when the connection itself has failed, and nobody would hear it, or
/// when somebody speaks who should not have it.
pub fn answer_to_garbage(error: &io::Error) -> Option<Answer> {
    let refusal = match error.kind() {
        io::ErrorKind::InvalidData => fatal(HelperCode::Malformed, error.to_string()),
        io::ErrorKind::TimedOut => fatal(HelperCode::Malformed, "the message did not end"),
        _ => return None,
    };
    Some(refusal.into())
}

/// Bytes of a detail: it may repeat what the client has said, and that may be millions.
const LONGEST_DETAIL: usize = 300;

pub(super) struct Refusal {
    error: HelperError,
    close: bool,
    lost: bool,
}

pub(super) fn refusal(code: HelperCode, detail: impl Into<String>) -> Refusal {
    let mut detail = detail.into();
    detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
    Refusal { error: HelperError { code, detail }, close: false, lost: false }
}

/// For messages that no honest client sends, and for ends.
pub(super) fn fatal(code: HelperCode, detail: impl Into<String>) -> Refusal {
    Refusal { close: true, ..refusal(code, detail) }
}

impl From<Refusal> for Answer {
    fn from(Refusal { error, close, lost }: Refusal) -> Self {
        Self { reply: Reply::Error(error), close, lost }
    }
}

impl From<Denial> for Refusal {
    fn from(why: Denial) -> Self {
        refusal(HelperCode::NotGranted, why)
    }
}

impl From<PlanError> for Refusal {
    fn from(error: PlanError) -> Self {
        refusal(HelperCode::Plan, error.to_string())
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let detail = error.to_string();
        match error {
            LoadError::Plan(_) | LoadError::TooManySets | LoadError::NoSession => {
                refusal(HelperCode::Plan, detail)
            }
            LoadError::Firewall(FirewallError::Busy) | LoadError::Taken => refusal(HelperCode::Busy, detail),
            LoadError::Firewall(_) | LoadError::Store(_) | LoadError::Unknown => {
                refusal(HelperCode::Firewall, detail)
            }
            LoadError::Unsupported(_) => refusal(HelperCode::Unsupported, detail),
            LoadError::TooManyBlocks | LoadError::TooManyDevices => refusal(HelperCode::Limit, detail),
            LoadError::Lost(_) => Refusal { lost: true, ..fatal(HelperCode::Firewall, detail) },
        }
    }
}

impl From<HostsError> for Refusal {
    fn from(error: HostsError) -> Self {
        let detail = error.to_string();
        match error {
            HostsError::Request(_) => refusal(HelperCode::Malformed, detail),
            HostsError::Busy => refusal(HelperCode::Busy, detail),
            _ => refusal(HelperCode::Hosts, detail),
        }
    }
}

impl From<DescriptorError> for Refusal {
    fn from(DescriptorError(detail): DescriptorError) -> Self {
        refusal(HelperCode::Descriptor, detail)
    }
}
