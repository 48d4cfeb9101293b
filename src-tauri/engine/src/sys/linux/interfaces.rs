//! The interfaces of this computer.

use std::{collections::BTreeMap, io, net::IpAddr};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::{InterfaceFlags, if_nametoindex},
    sys::socket::SockaddrStorage,
};

use crate::share::Interface;

/// Those that have gone by the time they are looked at are left out.
pub fn all() -> io::Result<Vec<Interface>> {
    let mut all: BTreeMap<u32, Interface> = BTreeMap::new();
    for entry in getifaddrs()? {
        let Ok(index) = if_nametoindex(entry.interface_name.as_str()) else { continue };
        let alone = InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT;
        let interface = all.entry(index).or_insert_with(|| Interface {
            name: entry.interface_name,
            index,
            up: entry.flags.contains(InterfaceFlags::IFF_UP),
            alone: entry.flags.intersects(alone),
            addresses: vec![],
        });
        interface.addresses.extend(entry.address.as_ref().and_then(ip));
    }
    Ok(all.into_values().collect())
}

/// An entry may also be about the hardware.
fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}
