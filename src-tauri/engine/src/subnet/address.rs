//! A network without its ports: `10.0.0.0/8`, `10/8`, `fd00::/8`.
//!
//! What other programs read in surprising ways (octal, hex, one whole number, `10.1` as 10.0.0.1) is refused
//! here, with the spelling that everybody reads alike as suggestion.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::SubnetError;
use crate::spelling::{Part, decimal};

/// Bits of an IPv6 address before the IPv4 address that is mapped into it (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Reads the network; bits behind its width are cleared.
pub fn parse(part: Part) -> Result<IpNet, SubnetError> {
    let (address, width) =
        part.split_once('/').map_or((part, None), |(address, width)| (address, Some(width)));
    if address.text().is_empty() {
        return Err(address.with_separator().mistake("The address is missing: for example 10.0.0.0/8."));
    }
    if address.text().contains(':') { v6(address, width) } else { v4(part, address, width) }
}

/// The same with `inet_aton(3)`'s reading of the address.
pub fn to_inet_aton(part: Part, width: u8) -> Option<IpNet> {
    let address = part.split_once('/').map_or(part, |(address, _)| address);
    let parts: Vec<Part> = address.split('.').collect();
    Some(IpNet::V4(Ipv4Net::new(classic(&parts)?, width).ok()?.trunc()))
}

fn v6(address: Part, width: Option<Part>) -> Result<IpNet, SubnetError> {
    if let Some((_, zone)) = address.split_once('%') {
        let message = "An address that belongs to one interface cannot go through a tunnel.";
        return Err(zone.with_separator().mistake(message));
    }
    let parsed: Ipv6Addr = address.text().parse().map_err(|_| not_v6(address))?;
    let bits = width.map_or(Ok(128), |width| number_of_bits(width, 128))?;
    if let (Some(mapped), true) = (parsed.to_ipv4_mapped(), bits >= MAPPED_BITS) {
        let ports = address.whole().split_once(']').map_or("", |(_, ports)| ports);
        let better = format!("{mapped}/{}{ports}", bits - MAPPED_BITS);
        return Err(address
            .mistake("This is an IPv4 address in IPv6 spelling; write it as IPv4.")
            .suggest(better));
    }
    Ok(IpNet::V6(Ipv6Net::new_assert(parsed, bits).trunc()))
}

fn not_v6(address: Part) -> SubnetError {
    let odd = address.find(|c| !(c.is_ascii_hexdigit() || ":.".contains(c)));
    odd.unwrap_or(address).mistake("This is not an IPv6 address: it looks like fd00::1.")
}

fn v4(part: Part, address: Part, width: Option<Part>) -> Result<IpNet, SubnetError> {
    let octets = octets(address)?;
    let mut full = [0; 4];
    full[..octets.len()].copy_from_slice(&octets);
    let full = Ipv4Addr::from(full);
    let bits = match width {
        Some(width) => number_of_bits(width, 32)?,
        None if octets.len() == 4 => 32,
        None => return Err(without_width(part, full, octets.len())),
    };
    Ok(IpNet::V4(Ipv4Net::new_assert(full, bits).trunc()))
}

/// `10.1`: to some programs the address 10.0.0.1, to people the network 10.1.0.0/16.
fn without_width(part: Part, full: Ipv4Addr, octets: usize) -> SubnetError {
    let bits = if full.is_unspecified() { 0 } else { octets * 8 };
    let better = part.replaced_by(&format!("{full}/{bits}"));
    part.mistake("A short form needs its width, as in 10/8; an address has four numbers.").suggest(better)
}

fn octets(address: Part) -> Result<Vec<u8>, SubnetError> {
    let parts: Vec<Part> = address.split('.').collect();
    refuse_names(address)?;
    refuse_other_spellings(address, &parts)?;
    if let Some(fifth) = parts.get(4) {
        return Err(fifth.with_separator().mistake("An IPv4 address has four numbers."));
    }
    parts.into_iter().map(octet).collect()
}

fn octet(part: Part) -> Result<u8, SubnetError> {
    if part.text().is_empty() {
        return Err(part.with_separator().mistake("A number is missing here."));
    }
    let number =
        decimal(part.text()).ok_or_else(|| part.mistake(format!("“{}” is not a number.", part.text())))?;
    number.try_into().map_err(|_| part.mistake("The numbers of an address go up to 255."))
}

fn refuse_names(address: Part) -> Result<(), SubnetError> {
    if let Some(odd) = address.find(|c| !(c.is_ascii_alphanumeric() || ".-_*".contains(c))) {
        return Err(unexpected(odd));
    }
    if let Some(net) = with_stars(address) {
        let better = address.replaced_by(&net);
        return Err(address
            .mistake("Stars are not part of an address; a width says how much is meant.")
            .suggest(better));
    }
    if let Some((first, _)) =
        address.split_once('-').filter(|(first, _)| first.text().parse::<Ipv4Addr>().is_ok())
    {
        let dash = address.slice(first.text().len(), address.text().len());
        return Err(dash.mistake("Ranges of addresses are written with a width, as in 10.0.0.0/24."));
    }
    let name = address
        .text()
        .split('.')
        .any(|label| !is_hex(label) && label.contains(|c: char| !c.is_ascii_digit()));
    if name { Err(address.mistake("This is neither an address nor a name.")) } else { Ok(()) }
}

fn unexpected(odd: Part) -> SubnetError {
    match odd.text() {
        "," => odd.mistake("One network for each entry; a comma may only stand between ports."),
        "[" | "]" => odd.mistake("Brackets stand around the whole of an IPv6 network."),
        other => odd.mistake(format!("“{other}” is not part of an address.")),
    }
}

/// `10.1.*.*` as `10.1.0.0/16`.
fn with_stars(address: Part) -> Option<String> {
    let labels: Vec<&str> = address.text().split('.').collect();
    let fixed = labels.iter().position(|label| *label == "*")?;
    let stars = labels[fixed..].iter().all(|label| *label == "*");
    let numbers: Option<Vec<u32>> = labels[..fixed].iter().map(|label| decimal(label)).collect();
    let mut octets = numbers.filter(|_| stars && labels.len() <= 4)?;
    octets.resize(4, 0);
    let dotted: Vec<String> = octets.iter().map(u32::to_string).collect();
    Some(format!("{}/{}", dotted.join("."), fixed * 8))
}

/// Octal, hex, and one number for the whole address: read by `inet_aton(3)` and by no person.
fn refuse_other_spellings(address: Part, parts: &[Part]) -> Result<(), SubnetError> {
    let odd = parts.iter().find(|part| is_hex(part.text()) || is_octal(part.text()));
    let whole = parts.len() == 1 && decimal(address.text()).is_some_and(|number| number > 255);
    let (part, kind) = match odd {
        Some(part) if is_hex(part.text()) => (*part, "hexadecimal"),
        Some(part) => (*part, "octal to many programs, decimal to others"),
        None if whole => (address, "one number for a whole address"),
        None => return Ok(()),
    };
    let mistake =
        part.mistake(format!("{} is {kind}; write the address as four decimal numbers.", part.text()));
    Err(match classic(parts) {
        Some(meant) => mistake.suggest(address.replaced_by(&meant.to_string())),
        None => mistake,
    })
}

fn is_hex(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn is_octal(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && !is_hex(text)
}

/// What `inet_aton(3)` makes of it: the last number fills all that is left.
fn classic(parts: &[Part]) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = parts.iter().map(|part| whole_number(part.text())).collect::<Option<_>>()?;
    let (last, octets) = numbers.split_last().filter(|(_, octets)| octets.len() < 4)?;
    let room = 32 - 8 * octets.len();
    if octets.iter().any(|&octet| octet > 255) || last >> room != 0 {
        return None;
    }
    let head = octets.iter().enumerate().fold(0, |sum, (index, octet)| sum | octet << (24 - 8 * index));
    u32::try_from(head | last).ok().map(Ipv4Addr::from)
}

fn whole_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text {
        hex if is_hex(hex) => (&hex[2..], 16),
        octal if is_octal(octal) && octal.bytes().all(|byte| byte < b'8') => (octal, 8),
        other => (other, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

fn number_of_bits(width: Part, max: u8) -> Result<u8, SubnetError> {
    if width.text().is_empty() {
        return Err(width.with_separator().mistake("The width after the slash is missing."));
    }
    if let Some(bits) = netmask(width.text()) {
        let better = width.replaced_by(&bits.to_string());
        return Err(width.mistake("The width is the number of bits, not a mask.").suggest(better));
    }
    let bits =
        decimal(width.text()).ok_or_else(|| width.mistake("The width after the slash is a number."))?;
    match u8::try_from(bits) {
        Ok(bits) if bits <= max => Ok(bits),
        _ => Err(width.mistake(format!("The width goes up to {max} here."))),
    }
}

/// 255.255.0.0 as 16.
fn netmask(text: &str) -> Option<u8> {
    let mask: Ipv4Addr = text.parse().ok()?;
    ipnet::ip_mask_to_prefix(IpAddr::V4(mask)).ok()
}
