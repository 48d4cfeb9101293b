//! A table of routes for one way.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use nix::errno::Errno;

use super::super::{
    netlink::{CREATE, Message, REPLACE, Socket, find},
    numbers::route,
};
use super::{V4, V6};

/// Bytes of `rtmsg`.
const HEADER: usize = 12;

/// What of a route matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    table: u32,
    net: IpNet,
    kind: u8,
    by_kernel: bool,
}

/// Puts the routes there; what was there before and is not wanted any more goes.
pub fn fill(socket: &Socket, table: u32, device: u32, routes: &BTreeMap<IpNet, bool>) -> io::Result<()> {
    let all = list(socket)?;
    let mut wanted = routes.clone();
    // a neighbour is reached without us, unless somebody says it more exactly
    let connected =
        all.iter().filter(|it| it.table == route::MAIN && it.by_kernel && it.kind == route::UNICAST);
    wanted.extend(connected.filter(|it| it.net.prefix_len() > 0).map(|it| (it.net, false)));
    for (net, through) in &wanted {
        match set(socket, table, *net, through.then_some(device)) {
            // a kernel without this family needs no routes of it
            Err(error) if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => {}
            done => done?,
        }
    }
    let stale = all.iter().filter(|it| it.table == table && !wanted.contains_key(&it.net));
    stale.copied().try_for_each(|it| remove(socket, &it))
}

/// Removes all routes of these tables.
pub fn empty(socket: &Socket, tables: impl Fn(u32) -> bool) -> io::Result<()> {
    list(socket)?.iter().filter(|it| tables(it.table)).try_for_each(|it| remove(socket, it))
}

fn set(socket: &Socket, table: u32, net: IpNet, device: Option<u32>) -> io::Result<()> {
    let (kind, scope) = match device {
        Some(_) => (route::UNICAST, route::LINK),
        None => (route::THROW, route::UNIVERSE),
    };
    socket.change(route::NEW_ROUTE, CREATE | REPLACE, &header(net, route::STATIC, scope, kind), |out| {
        out.bytes(route::TABLE, &table.to_ne_bytes());
        out.bytes(route::DESTINATION, &octets(net));
        if let Some(device) = device {
            out.bytes(route::DEVICE, &device.to_ne_bytes());
        }
    })
}

/// It may have gone with its device meanwhile.
fn remove(socket: &Socket, it: &Route) -> io::Result<()> {
    // RT_SCOPE_NOWHERE: whatever its scope
    let removed = socket.change(route::DELETE_ROUTE, 0, &header(it.net, 0, 255, it.kind), |out| {
        out.bytes(route::TABLE, &it.table.to_ne_bytes());
        out.bytes(route::DESTINATION, &octets(it.net));
    });
    match removed {
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
        other => other,
    }
}

/// Of both families. The list is made while nobody else should change ours, so one that may be wrong elsewhere is good enough.
fn list(socket: &Socket) -> io::Result<Vec<Route>> {
    let mut routes = vec![];
    for family in [V4, V6] {
        let mut header = [0; HEADER];
        header[0] = family;
        match socket.list(route::GET_ROUTE, &header, |answer| routes.extend(parse(answer))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(routes)
}

fn parse(answer: &Message) -> Option<Route> {
    let (header, attributes) = answer.body().split_first_chunk::<HEADER>()?;
    let [family, width, .., short_table, protocol, _, kind, _, _, _, _] = *header;
    let table = find(attributes, route::TABLE).and_then(|bytes| bytes.first_chunk().copied());
    let address = find(attributes, route::DESTINATION);
    let ip: IpAddr = match family {
        V4 => Ipv4Addr::from(address.map_or(Some([0; 4]), |bytes| bytes.try_into().ok())?).into(),
        V6 => Ipv6Addr::from(address.map_or(Some([0; 16]), |bytes| bytes.try_into().ok())?).into(),
        _ => return None,
    };
    Some(Route {
        table: table.map_or(short_table.into(), u32::from_ne_bytes),
        net: IpNet::new(ip, width).ok()?,
        kind,
        by_kernel: protocol == route::BY_KERNEL,
    })
}

/// `rtmsg`; the table is in an attribute.
fn header(net: IpNet, protocol: u8, scope: u8, kind: u8) -> [u8; HEADER] {
    let family = if net.addr().is_ipv4() { V4 } else { V6 };
    [family, net.prefix_len(), 0, 0, 0, protocol, scope, kind, 0, 0, 0, 0]
}

fn octets(net: IpNet) -> Vec<u8> {
    match net.addr() {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}
