//! The descriptors of one message, in the documented order.

use std::{os::fd::OwnedFd, vec};

use crate::{
    platform::{self, DescriptorError},
    rules::Cgroup,
};

pub struct Descriptors(vec::IntoIter<OwnedFd>);

impl Descriptors {
    pub fn new(fds: Vec<OwnedFd>) -> Self {
        Self(fds.into_iter())
    }

    /// The next one when it is `promised`: a cgroup of `owner`, or of anybody.
    pub fn cgroup(
        &mut self,
        promised: bool,
        owner: impl Into<Option<u32>>,
    ) -> Result<Option<Cgroup>, DescriptorError> {
        if !promised {
            return Ok(None);
        }
        let folder = self.0.next().ok_or_else(|| error("the cgroup's descriptor is missing"))?;
        platform::cgroup(&folder, owner.into().unwrap_or(0)).map(Some)
    }

    /// The first, when there is one and no other.
    pub fn only(mut self) -> Result<Option<OwnedFd>, DescriptorError> {
        let first = self.0.next();
        self.end().map(|()| first)
    }

    /// No more came than the message promises.
    pub fn end(mut self) -> Result<(), DescriptorError> {
        match self.0.next() {
            Some(_) => Err(error("a descriptor that the message does not mention")),
            None => Ok(()),
        }
    }
}

fn error(text: &str) -> DescriptorError {
    DescriptorError(text.into())
}
