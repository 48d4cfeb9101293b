//! What the kernel remembers of UDP flows to name servers. A flow goes on the way that it began, whatever the rules say
//! since, until it is forgotten. TCP is left alone: its connections would be reset.

use std::io;

use crate::kill;
use nix::errno::Errno;

use super::{
    netlink::{Kind, Socket, find},
    numbers::{IPV4_FAMILY, IPV6_FAMILY, UDP, ct},
};

/// Flows to port 53, of both families.
pub fn forget_dns_flows() -> io::Result<()> {
    let socket = Socket::open()?;
    for family in [IPV4_FAMILY, IPV6_FAMILY] {
        for flow in dns_flows(&socket, family)? {
            kill::around("forget a flow", || forget(&socket, family, &flow))?;
        }
    }
    Ok(())
}

/// What names a flow to the kernel. With its id, so that a newer one with the same ends is not meant.
struct Flow {
    original: Vec<u8>,
    id: Option<Vec<u8>>,
    zone: Option<Vec<u8>>,
}

fn dns_flows(socket: &Socket, family: u8) -> io::Result<Vec<Flow>> {
    let mut flows = vec![];
    let kind = Kind { subsystem: ct::SUBSYSTEM, number: ct::GET, family };
    socket.dump(
        kind,
        |_| {},
        |answer| {
            let Some(original) = answer.attribute(ct::ORIGINAL).filter(|tuple| is_dns(tuple)) else { return };
            let copy = |kind| answer.attribute(kind).map(<[u8]>::to_vec);
            flows.push(Flow { original: original.to_vec(), id: copy(ct::ID), zone: copy(ct::ZONE) });
        },
    )?;
    Ok(flows)
}

fn is_dns(tuple: &[u8]) -> bool {
    let Some(protocol) = find(tuple, ct::PROTOCOL) else { return false };
    find(protocol, ct::PROTOCOL_NUMBER) == Some(&[UDP])
        && find(protocol, ct::DESTINATION_PORT) == Some(&53u16.to_be_bytes())
}

/// It may have ended meanwhile.
fn forget(socket: &Socket, family: u8, flow: &Flow) -> io::Result<()> {
    let kind = Kind { subsystem: ct::SUBSYSTEM, number: ct::DELETE, family };
    let forgotten = socket.act(kind, |out| {
        out.nest(ct::ORIGINAL, |tuple| tuple.raw(&flow.original));
        flow.id.iter().for_each(|id| {
            out.bytes(ct::ID, id);
        });
        flow.zone.iter().for_each(|zone| {
            out.bytes(ct::ZONE, zone);
        });
    });
    match forgotten {
        Err(error) if error.raw_os_error() != Some(Errno::ENOENT as i32) => Err(error),
        _ => Ok(()),
    }
}
