//! A way for UDP and echo: a TUN device, a table of routes to it, and the rules of routing that send them there.
//!
//! The device and the routes to it are gone when the client closes its descriptor. Rules, and routes that lead nowhere,
//! are not: they go with the session, or at the next start ([`undo`]).

mod link;
mod rule;
mod table;
mod tun;

use std::{fs, io};

use super::netlink::Socket;
use crate::{
    kill,
    rules::{
        FirewallError,
        udp::{ANY, Device, OWN, Way},
    },
};

/// Of routing tables and of rules' priorities; nobody's by convention.
const FIRST: u32 = 6060;
/// More than there are places.
const WAYS: u32 = 32;
/// `AF_INET`, `AF_INET6` (socket.h)
const V4: u8 = libc::AF_INET as u8;
const V6: u8 = libc::AF_INET6 as u8;

/// The kernel asks for the way back of what arrives, as if root had sent it: with 1 it would drop one user's answers; with 2 any
/// way will do, but the device needs an address.
const REVERSE_PATH: &str = "/proc/sys/net/ipv4/conf/all/rp_filter";

pub fn open(way: &Way) -> Result<Device, FirewallError> {
    if way.user.is_some_and(|uid| uid != 0) && reverse_path() == "1" {
        return Err(FirewallError::Refused(
            "net.ipv4.conf.all.rp_filter lets one user's answers not in".into(),
        ));
    }
    let socket = Socket::route().map_err(|e| refused("rtnetlink", &e))?;
    let (descriptor, name) = kill::around("make a device", || tun::make(if way.own { OWN } else { ANY }))
        .map_err(|e| refused("/dev/net/tun", &e))?;
    let index = link::index(&socket, &name).map_err(|e| refused("the device's number", &e))?;
    let device = Device { name, index, descriptor };
    let made = set_up(&socket, way, index);
    if made.is_err() {
        // the device ends with its descriptor
        let _ = take_away(&socket, way.place);
    }
    made.map(|()| device)
}

pub fn change(way: &Way, device: u32) -> Result<(), FirewallError> {
    let socket = Socket::route().map_err(|e| refused("rtnetlink", &e))?;
    table::fill(&socket, rule::table(way.place), device, &way.routes).map_err(|e| refused("routes", &e))
}

/// Also where the client still has its descriptor, and where it has closed it.
pub fn close(way: &Way, device: u32) -> Result<(), FirewallError> {
    let socket = Socket::route().map_err(|e| refused("rtnetlink", &e))?;
    take_away(&socket, way.place).map_err(|e| refused("rules and routes", &e))?;
    match kill::around("remove a device", || link::remove(&socket, device)) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        removed => removed.map_err(|e| refused("the device", &e)),
    }
}

/// What a helper that died left behind.
pub fn undo() -> Result<(), FirewallError> {
    let undo = |socket: &Socket| {
        rule::remove(socket, None)?;
        link::remove_all(socket, ANY)?;
        table::empty(socket, |table| (FIRST..FIRST + WAYS).contains(&table))
    };
    Socket::route().and_then(|socket| undo(&socket)).map_err(|e| refused("what is left of UDP", &e))
}

fn set_up(socket: &Socket, way: &Way, index: u32) -> Result<(), FirewallError> {
    link::bring_up(socket, index, way.user.is_some()).map_err(|e| refused("the device", &e))?;
    if way.user.is_some() && reverse_path() != "0" {
        link::give_address(socket, index).map_err(|e| refused("the device's address", &e))?;
    }
    let table = rule::table(way.place);
    kill::around("add routes", || table::fill(socket, table, index, &way.routes))
        .map_err(|e| refused("routes", &e))?;
    kill::around("add rules", || rule::add(socket, way.place, way.user)).map_err(|e| refused("rules", &e))
}

/// The rules first: routes that nobody asks do nothing.
fn take_away(socket: &Socket, place: u8) -> io::Result<()> {
    kill::around("remove rules", || rule::remove(socket, Some(place)))?;
    kill::around("remove routes", || table::empty(socket, |table| table == rule::table(place)))
}

fn reverse_path() -> String {
    let text = fs::read_to_string(REVERSE_PATH);
    text.map_or_else(|_| "0".into(), |text| text.trim().into())
}

fn refused(what: &str, error: &io::Error) -> FirewallError {
    FirewallError::Refused(format!("{what}: {error}"))
}
