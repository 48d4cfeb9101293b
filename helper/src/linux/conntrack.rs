//! What the kernel remembers of flows. Each goes on the way that it began, whatever the rules say since, until it is
//! forgotten.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use nix::errno::Errno;

use super::{
    netlink::{Kind, Message, Socket, find},
    numbers::{ANY_FAMILY, TCP, UDP, ct, expression::STATUS_DNAT},
};
use crate::{
    kill,
    rules::stale::{self, Flow, Phase, Stale},
};

/// Those flows.
pub fn forget(stale: &Stale) -> io::Result<()> {
    let socket = Socket::open()?;
    if count(&socket)? == 0 {
        return Ok(()); // without another firewall, the usual case; looking at every place takes 10 ms
    }
    for name in remembered(&socket, stale)? {
        kill::around("forget a flow", || forget_one(&socket, &name))?;
    }
    Ok(())
}

/// How many flows there are.
fn count(socket: &Socket) -> io::Result<u32> {
    let kind = Kind { subsystem: ct::SUBSYSTEM, number: ct::GET_STATS, family: ANY_FAMILY };
    let mut count = 0;
    socket.get(kind, |_| {}, |answer| count = answer.u32(ct::ENTRIES).unwrap_or(u32::MAX))?;
    Ok(count)
}

/// What names a flow to the kernel. With its id, so that a newer one with the same ends is not meant.
struct Name {
    family: u8,
    original: Vec<u8>,
    id: Option<Vec<u8>>,
    zone: Option<Vec<u8>>,
}

fn remembered(socket: &Socket, stale: &Stale) -> io::Result<Vec<Name>> {
    let mut names = vec![];
    // both families at once: the kernel walks through the same large table for each
    let kind = Kind { subsystem: ct::SUBSYSTEM, number: ct::GET, family: ANY_FAMILY };
    socket.dump(
        kind,
        |filter| {
            // kernels before 6.0 don't know this one, and tell all
            if stale.are_unanswered() {
                filter.u32(ct::STATUS, 0).u32(ct::STATUS_MASK, ct::SEEN_REPLY);
            }
        },
        |answer| {
            if !flow(answer).is_some_and(|flow| stale.contains(&flow)) {
                return;
            }
            let copy = |kind| answer.attribute(kind).map(<[u8]>::to_vec);
            let Some(original) = copy(ct::ORIGINAL) else { return };
            names.push(Name { family: answer.family(), original, id: copy(ct::ID), zone: copy(ct::ZONE) });
        },
    )?;
    Ok(names)
}

/// None for protocols without ports, and for what has no state.
fn flow(answer: &Message) -> Option<Flow> {
    let original = answer.attribute(ct::ORIGINAL)?;
    let protocol = find(original, ct::PROTOCOL)?;
    let kind = match find(protocol, ct::PROTOCOL_NUMBER)? {
        [UDP] => stale::Kind::Udp,
        [TCP] => stale::Kind::Tcp(phase(answer)?),
        _ => return None,
    };
    let to = destination(find(original, ct::ADDRESSES)?)?;
    let is_redirected = answer.u32(ct::STATUS).is_some_and(|status| status & STATUS_DNAT != 0);
    let redirected = if is_redirected { port(answer.attribute(ct::REPLY)?, ct::SOURCE_PORT) } else { None };
    Some(Flow { to, port: port(original, ct::DESTINATION_PORT)?, kind, redirected })
}

/// One that waits for its last packets (`TIME_WAIT`) the kernel forgets by itself at the next first packet.
fn phase(answer: &Message) -> Option<Phase> {
    let state = find(find(answer.attribute(ct::PROTOCOL_STATE)?, ct::TCP)?, ct::TCP_STATE)?;
    Some(match state {
        [ct::SYN_SENT | ct::SYN_RECEIVED | ct::BOTH_SENT] => Phase::Opening,
        [ct::LAST_ACK | ct::CLOSE] => Phase::Ended,
        _ => Phase::Open,
    })
}

fn destination(addresses: &[u8]) -> Option<IpAddr> {
    let v4 = || Some(Ipv4Addr::from(<[u8; 4]>::try_from(find(addresses, ct::DESTINATION_V4)?).ok()?).into());
    let v6 = || Some(Ipv6Addr::from(<[u8; 16]>::try_from(find(addresses, ct::DESTINATION_V6)?).ok()?).into());
    v4().or_else(v6)
}

fn port(tuple: &[u8], which: u16) -> Option<u16> {
    Some(u16::from_be_bytes(find(find(tuple, ct::PROTOCOL)?, which)?.try_into().ok()?))
}

/// It may have ended meanwhile.
fn forget_one(socket: &Socket, name: &Name) -> io::Result<()> {
    let kind = Kind { subsystem: ct::SUBSYSTEM, number: ct::DELETE, family: name.family };
    let forgotten = socket.act(kind, |out| {
        out.nest(ct::ORIGINAL, |tuple| tuple.raw(&name.original));
        name.id.iter().for_each(|id| {
            out.bytes(ct::ID, id);
        });
        name.zone.iter().for_each(|zone| {
            out.bytes(ct::ZONE, zone);
        });
    });
    match forgotten {
        Err(error) if error.raw_os_error() != Some(Errno::ENOENT as i32) => Err(error),
        _ => Ok(()),
    }
}
