//! The rules that send datagrams to look at a way's table. For each family and way:
//!
//! ```text
//! P      fwmark 0x5e goto P+2             what is ours goes around
//! P+1    [uidrange U-U] ipproto udp|icmp lookup T
//! P+2    nop
//! ```
//! Not the shorter `not fwmark 0x5e ipproto udp`: `not` turns all of a rule around, and it would match every TCP packet.

use std::io;

use nix::errno::Errno;
use ropeway_helper_api::DIRECT_MARK;

use super::super::{
    netlink::{Attributes, CREATE, Message, Socket, find},
    numbers::{UDP, route},
};
use super::{FIRST, V4, V6, WAYS};

/// Bytes of `fib_rule_hdr`.
const HEADER: usize = 12;

/// Priorities of one way.
const STEP: u32 = 4;

/// What the kernel remembers of who made a rule; no routing program of `rtnetlink.h` has this number.
const MAKER: u8 = DIRECT_MARK as u8;

/// `IPPROTO_ICMP`, `IPPROTO_ICMPV6` (in.h)
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// `NLM_F_EXCL` (netlink.h)
const EXCLUSIVE: u16 = 0x200;

/// One that is there.
struct Found {
    family: u8,
    action: u8,
    priority: u32,
    table: u32,
    /// It asks for a protocol.
    narrow: bool,
}

/// Of the way in this place. On an error some may be there.
pub fn add(socket: &Socket, place: u8, user: Option<u32>) -> io::Result<()> {
    for (family, echo) in [(V4, ICMP), (V6, ICMPV6)] {
        match add_family(socket, place, user, family, echo) {
            Err(error) if family == V6 && error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => {}
            done => done?,
        }
    }
    // kernels before 4.17 pass over what they don't know, and would send us everything
    let narrow = list(socket)?.iter().filter(|it| it.table == table(place)).all(|it| it.narrow);
    if narrow { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Where the way's routes are.
pub fn table(place: u8) -> u32 {
    FIRST + u32::from(place)
}

/// Of one way, or of all.
pub fn remove(socket: &Socket, place: Option<u8>) -> io::Result<()> {
    let ours = place.map_or(FIRST..FIRST + STEP * WAYS, |place| priority(place)..priority(place) + STEP);
    list(socket)?.iter().filter(|it| ours.contains(&it.priority)).try_for_each(|it| delete(socket, it))
}

fn add_family(socket: &Socket, place: u8, user: Option<u32>, family: u8, echo: u8) -> io::Result<()> {
    let at = priority(place);
    let new = |action, priority: u32, content: &dyn Fn(&mut Attributes)| {
        socket.change(route::NEW_RULE, CREATE | EXCLUSIVE, &header(family, action), |out| {
            out.bytes(route::PRIORITY, &priority.to_ne_bytes()).bytes(route::MAKER, &[MAKER]);
            content(out);
        })
    };
    // the end before the beginning: what goes there must never fall through
    new(route::NOTHING, at + 2, &|_| {})?;
    new(route::JUMP, at, &|out| {
        out.bytes(route::MARK, &DIRECT_MARK.to_ne_bytes()).bytes(route::MARK_MASK, &u32::MAX.to_ne_bytes());
        out.bytes(route::GOTO, &(at + 2).to_ne_bytes());
    })?;
    for protocol in [UDP, echo] {
        new(route::LOOK_UP, at + 1, &|out| {
            out.bytes(route::RULE_TABLE, &table(place).to_ne_bytes()).bytes(route::IP_PROTOCOL, &[protocol]);
            if let Some(uid) = user {
                out.bytes(route::USERS, &[uid.to_ne_bytes(), uid.to_ne_bytes()].concat());
            }
        })?;
    }
    Ok(())
}

/// One after the other, so that of several equal ones each is meant once.
fn delete(socket: &Socket, it: &Found) -> io::Result<()> {
    // a jump is only understood with its goal; the priority is enough to know it by
    let action = if it.action == route::JUMP { 0 } else { it.action };
    let removed = socket.change(route::DELETE_RULE, 0, &header(it.family, action), |out| {
        out.bytes(route::PRIORITY, &it.priority.to_ne_bytes());
        if it.table != 0 {
            out.bytes(route::RULE_TABLE, &it.table.to_ne_bytes());
        }
    });
    match removed {
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(()),
        other => other,
    }
}

/// Those that we made.
fn list(socket: &Socket) -> io::Result<Vec<Found>> {
    let mut found = vec![];
    for family in [V4, V6] {
        match socket.list(route::GET_RULE, &header(family, 0), |answer| found.extend(parse(answer))) {
            Err(error) if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => {}
            // somebody else's change: ours are all there
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => done?,
        }
    }
    Ok(found)
}

fn parse(answer: &Message) -> Option<Found> {
    let (header, attributes) = answer.body().split_first_chunk::<HEADER>()?;
    let number =
        |kind| find(attributes, kind).and_then(|bytes| bytes.first_chunk().copied()).map(u32::from_ne_bytes);
    let ours = find(attributes, route::MAKER) == Some(&[MAKER]);
    ours.then_some(Found {
        family: header[0],
        action: header[7],
        priority: number(route::PRIORITY)?,
        table: number(route::RULE_TABLE).unwrap_or_default(),
        narrow: find(attributes, route::IP_PROTOCOL).is_some(),
    })
}

fn priority(place: u8) -> u32 {
    FIRST + STEP * u32::from(place)
}

/// `fib_rule_hdr`
fn header(family: u8, action: u8) -> [u8; HEADER] {
    [family, 0, 0, 0, 0, 0, 0, action, 0, 0, 0, 0]
}
