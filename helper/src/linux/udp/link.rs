//! The device among the computer's links.

use std::io;

use super::super::{
    netlink::{Attributes, CREATE, Socket, find},
    numbers::route,
};
use super::{V4, V6};

/// The largest that a TUN device takes: a datagram of any size is one packet, so nobody has to put fragments together.
const MTU: u32 = 65_535;

/// Of a name.
pub fn index(socket: &Socket, name: &str) -> io::Result<u32> {
    let mut index = None;
    let asked = |out: &mut Attributes| {
        out.text(route::LINK_NAME, name);
    };
    socket.one(route::GET_LINK, &header(0, 0), asked, |answer| {
        let place = answer.body().get(4..).and_then(|rest| rest.first_chunk());
        index = place.map(|bytes| u32::from_ne_bytes(*bytes));
    })?;
    index.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The one of RFC 7600 that is nobody's. No program sends from it: it is of this host alone (`RT_SCOPE_HOST`).
const DUMMY: [u8; 4] = [192, 0, 0, 8];

/// Where the kernel lets nothing in by a device without one.
pub fn give_address(socket: &Socket, index: u32) -> io::Result<()> {
    let [a, b, c, d] = index.to_ne_bytes();
    // `ifaddrmsg`
    let header = [V4, 32, 0, route::HOST, a, b, c, d];
    socket.change(route::NEW_ADDRESS, CREATE, &header, |out| {
        out.bytes(route::LOCAL, &DUMMY).bytes(route::ADDRESS, &DUMMY);
    })
}

/// Without an address of its own, so that programs keep theirs. `loose`: answers are let in where the kernel's question for
/// the way back finds another device.
pub fn bring_up(socket: &Socket, index: u32, loose: bool) -> io::Result<()> {
    let settings = |fill: &dyn Fn(&mut Attributes)| {
        socket.change(route::NEW_LINK, 0, &header(index, 0), |out| fill(out))
    };
    settings(&|out| {
        out.bytes(route::LINK_MTU, &MTU.to_ne_bytes());
    })?;
    if loose {
        settings(&|out| {
            out.nest(route::LINK_FAMILIES, |families| {
                families.nest(V4.into(), |v4| {
                    v4.nest(route::V4_SETTINGS, |all| {
                        all.bytes(route::REVERSE_PATH, &0_u32.to_ne_bytes());
                    });
                });
            });
        })?;
    }
    let no_addresses = settings(&|out| {
        out.nest(route::LINK_FAMILIES, |families| {
            families.nest(V6.into(), |v6| {
                v6.bytes(route::V6_ADDRESSES, &[route::NO_ADDRESSES]);
            });
        });
    });
    if let Err(error) = no_addresses {
        tracing::debug!(%error, "no IPv6 here");
    }
    socket.change(route::NEW_LINK, 0, &header(index, route::UP), |_| {})
}

/// Whoever has a descriptor of it.
pub fn remove(socket: &Socket, index: u32) -> io::Result<()> {
    socket.change(route::DELETE_LINK, 0, &header(index, 0), |_| {})
}

/// Those whose names begin so and end with a number: an engine, or somebody worse, may still hold one.
pub fn remove_all(socket: &Socket, begins: &str) -> io::Result<()> {
    let mut found = vec![];
    let listed = socket.list(route::GET_LINK, &header(0, 0), |answer| {
        let Some((head, attributes)) = answer.body().split_first_chunk::<16>() else { return };
        let name = find(attributes, route::LINK_NAME).and_then(|name| std::str::from_utf8(name).ok());
        let ours = name.is_some_and(|name| {
            let rest = name.trim_end_matches('\0').strip_prefix(begins);
            rest.is_some_and(|rest| rest.trim_start_matches("-own").parse::<u32>().is_ok())
        });
        found.extend(ours.then(|| u32::from_ne_bytes([head[4], head[5], head[6], head[7]])));
    });
    match listed {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
        _ => {}
    }
    found.into_iter().try_for_each(|index| match remove(socket, index) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        removed => removed,
    })
}

/// `ifinfomsg`: these flags are set.
fn header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&flags.to_ne_bytes());
    header
}
