//! A name in the place of a network: `db.corp.example`, `db/24:5432`, `*.corp.example:443`.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use ropeway_helper_api::Ports;

use super::{Subnet, SubnetError, check_characters, ports, split_ports};
use crate::{
    profile::name as read_name,
    spelling::{Part, decimal},
};

/// A name whose addresses go through; which they are is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// In small letters.
    name: String,
    /// Every name below it, as they become known.
    wildcard: bool,
    /// How much around each address; None = the address alone.
    width: Option<u8>,
    ports: Vec<Ports>,
}

/// None when it is not a name at all, but an address, right or wrong.
pub fn read(text: &str) -> Option<Result<Named, SubnetError>> {
    let whole = Part::new(text);
    let (net, ports) = check_characters(whole).and_then(|()| split_ports(whole)).ok()?;
    let (host, width) = net.split_once('/').map_or((net, None), |(host, width)| (host, Some(width)));
    let wildcard = host.text().starts_with("*.");
    let bare = if wildcard { host.slice(2, host.text().len()) } else { host };
    looks_like_one(bare.text()).then(|| {
        let name = read_name(bare)?;
        let width = width.map(bits).transpose()?;
        let ports = ports.map(ports::parse).transpose()?.unwrap_or_default();
        Ok(Named { name, wildcard, width, ports })
    })
}

/// The last label of a name is no number (RFC 3696, 2), and 10.0.0.x is a slip.
fn looks_like_one(host: &str) -> bool {
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let is_number = |label: &str| label.starts_with(|c: char| c.is_ascii_digit());
    let address = labels.len() == 4 && labels[..3].iter().all(|label| decimal(label).is_some());
    let hex = labels.iter().any(|label| label.starts_with("0x") || label.starts_with("0X"));
    let last = labels.last().copied().unwrap_or_default();
    !address && !hex && !host.contains([':', '*']) && !last.is_empty() && !is_number(last)
}

fn bits(width: Part) -> Result<u8, SubnetError> {
    let bits = decimal(width.text()).filter(|bits| *bits <= 128);
    bits.map(|bits| bits as u8).ok_or_else(|| {
        width.with_separator().mistake("The width after the slash is a number of bits, at most 128.")
    })
}

impl Named {
    /// In small letters; of a wildcard what stands behind the star.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether names below it are meant, and not the name itself.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether this name is meant. Small and capital letters are alike.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if self.wildcard {
            name.strip_suffix(self.name.as_str()).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
        } else {
            name == self.name
        }
    }

    /// What one of its addresses stands for. A width that is too large for IPv4 is meant for IPv6, and one that IPv4 could
    /// have is not meant for IPv6, where it would be half of the internet.
    pub fn subnet(&self, address: IpAddr) -> Subnet {
        let width = match (address, self.width) {
            (IpAddr::V4(_), Some(width)) if width <= 32 => width,
            (IpAddr::V4(_), _) => 32,
            (IpAddr::V6(_), Some(width)) if width > 32 => width,
            (IpAddr::V6(_), _) => 128,
        };
        let net = IpNet::new(address, width).unwrap_or_else(|_| address.into());
        Subnet { net: net.trunc(), ports: self.ports.clone() }
    }

    /// How much it is, in words.
    pub fn note(&self) -> String {
        let what = if self.wildcard { "names below it, as they are asked for" } else { "its addresses" };
        let around = self.width.map(|width| format!(", /{width} around each")).unwrap_or_default();
        let ports = super::note::ports(&self.ports).map(|ports| format!(", {ports}")).unwrap_or_default();
        format!("{what}{around}{ports}")
    }
}

/// The canonical spelling.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.name)?;
        self.width.map_or(Ok(()), |width| write!(f, "/{width}"))?;
        if self.ports.is_empty() { Ok(()) } else { write!(f, ":{}", ports::Listed(&self.ports)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, parse_entry};
    use super::*;

    fn named(text: &str) -> Named {
        match parse_entry(text) {
            Ok(Entry::Name(named)) => named,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_as_people_type_them() {
        for (text, canonical) in [
            ("db", "db"),
            ("DB.Corp.Example.", "db.corp.example"),
            ("db.corp.example/24", "db.corp.example/24"),
            ("db.corp.example:5432", "db.corp.example:5432"),
            ("db/64:80,443,8000-9000", "db/64:80,443,8000-9000"),
            ("*.corp.example:443", "*.corp.example:443"),
            ("10-0-0-1.corp", "10-0-0-1.corp"),
            ("fd", "fd"),
        ] {
            assert_eq!(named(text).to_string(), canonical, "{text}");
            assert_eq!(named(canonical), named(text), "{text}");
        }
    }

    #[test]
    fn addresses_and_slips_are_no_names() {
        for text in [
            "10/8",
            "10.1",
            "0x7f.1",
            "1.2.3.x",
            "fd00::1",
            "10.0.0.*",
            "*",
            "a.1",
            "300.1.2.3",
            "db/129",
            "a..b",
        ] {
            assert!(!matches!(parse_entry(text), Ok(Entry::Name(_))), "{text}");
        }
    }

    #[test]
    fn a_wildcard_means_what_is_below_it() {
        let rule = named("*.corp.example");
        for (name, meant) in [
            ("db.corp.example", true),
            ("A.B.CORP.example.", true),
            ("corp.example", false),
            ("xcorp.example", false),
            (".corp.example", false),
        ] {
            assert_eq!(rule.matches(name), meant, "{name}");
        }
    }

    #[test]
    fn a_width_is_for_the_family_that_it_fits() {
        for (text, address, subnet) in [
            ("db", "10.0.0.5", "10.0.0.5"),
            ("db/24:80", "10.0.0.5", "10.0.0.0/24:80"),
            ("db/24", "fd00::5", "fd00::5"),
            ("db/64", "fd00::5", "fd00::/64"),
            ("db/64", "10.0.0.5", "10.0.0.5"),
        ] {
            assert_eq!(named(text).subnet(address.parse().unwrap()).to_string(), subnet, "{text}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_path() {
        assert_eq!(parse_entry("@~/nets.txt"), Ok(Entry::File("~/nets.txt".into())));
        assert!(parse_entry("@nets.txt").is_err() && parse_entry("@").is_err());
    }
}
