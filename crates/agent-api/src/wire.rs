//! Reading and writing the parts that messages are made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut, BytesMut};
use ipnet::IpNet;

/// The bytes are no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message")]
pub struct Malformed;

impl From<bytes::TryGetError> for Malformed {
    fn from(_: bytes::TryGetError) -> Self {
        Self
    }
}

/// Families as OPEN has them (docs/wire.md).
const V4: u8 = 4;
const V6: u8 = 6;

pub fn put_ip(out: &mut BytesMut, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            out.put_u8(V4);
            out.put_u32(ip.to_bits());
        }
        IpAddr::V6(ip) => {
            out.put_u8(V6);
            out.put_u128(ip.to_bits());
        }
    }
}

pub fn get_ip(input: &mut impl Buf) -> Result<IpAddr, Malformed> {
    match input.try_get_u8()? {
        V4 => Ok(Ipv4Addr::from_bits(input.try_get_u32()?).into()),
        V6 => Ok(Ipv6Addr::from_bits(input.try_get_u128()?).into()),
        _ => Err(Malformed),
    }
}

pub fn put_socket(out: &mut BytesMut, address: SocketAddr) {
    put_ip(out, address.ip());
    out.put_u16(address.port());
}

pub fn get_socket(input: &mut impl Buf) -> Result<SocketAddr, Malformed> {
    Ok(SocketAddr::new(get_ip(input)?, input.try_get_u16()?))
}

pub fn put_net(out: &mut BytesMut, net: IpNet) {
    put_ip(out, net.addr());
    out.put_u8(net.prefix_len());
}

/// Whatever is set behind the width is cleared.
pub fn get_net(input: &mut impl Buf) -> Result<IpNet, Malformed> {
    let net = IpNet::new(get_ip(input)?, input.try_get_u8()?).map_err(|_| Malformed)?;
    Ok(net.trunc())
}

/// At most 255 bytes of it.
pub fn put_text(out: &mut BytesMut, text: &str) {
    let end = text.floor_char_boundary(u8::MAX.into());
    out.put_u8(end as u8);
    out.put_slice(&text.as_bytes()[..end]);
}

pub fn get_text(input: &mut impl Buf) -> Result<String, Malformed> {
    let length = input.try_get_u8()?;
    let mut bytes = vec![0; length.into()];
    input.try_copy_to_slice(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Malformed)
}

/// Everything was read.
pub fn end(input: &impl Buf) -> Result<(), Malformed> {
    if input.has_remaining() { Err(Malformed) } else { Ok(()) }
}
