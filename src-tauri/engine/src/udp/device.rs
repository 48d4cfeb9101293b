//! The device that the helper made: one packet a read, one a write.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
};

use tokio::io::{Interest, unix::AsyncFd};

/// A packet is at most that long (the helper sets the device so).
const LARGEST: usize = 65_535;

/// It ends with this value, and the kernel takes away what leads to it.
pub struct Device {
    file: AsyncFd<File>,
}

impl Device {
    /// The descriptor never blocks.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        // SAFETY: a file keeps its descriptor open, and the same one, until it is dropped
        let file = unsafe { AsyncFd::register_with_interest(File::from(descriptor), Interest::READABLE) }?;
        Ok(Self { file })
    }

    /// Room for one packet.
    pub fn space() -> Vec<u8> {
        vec![0; LARGEST]
    }

    /// The next packet.
    pub async fn read<'s>(&self, space: &'s mut [u8]) -> io::Result<&'s [u8]> {
        let length = self.file.async_io(Interest::READABLE, |mut file: &File| file.read(space)).await?;
        Ok(&space[..length])
    }

    /// A packet that the kernel does not take is lost, as one on a network.
    pub fn write(&self, packet: &[u8]) {
        if let Err(error) = self.file.get_ref().write(packet) {
            tracing::debug!(%error, "a packet for a program is lost");
        }
    }
}
