//! sshuttle's `--listen [IP:]PORT[,[IP6]:PORT]`: for people it is the switch that lets other computers in, so all
//! addresses mean those. Ropeway chooses ports by itself.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{CONTAINERS, LAN};

/// What was typed behind `--listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// On all addresses of a family.
    everywhere: bool,
}

/// To who named an address or a port that nothing comes of.
pub const NOTICE: &str = "Ropeway chooses its own ports, so --listen changes nothing here; to share the tunnel with others, name an interface: --share NAME";

impl Listen {
    /// As a profile has it; empty where it means nothing to us.
    pub fn share(self) -> &'static [&'static str] {
        if self.everywhere { &[LAN, CONTAINERS] } else { &[] }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let addresses = text.split(',').map(address).collect::<Option<Vec<_>>>();
        let addresses = addresses.ok_or("it is written [IP:]PORT[,[IP6]:PORT], for example 0.0.0.0:0")?;
        Ok(Self { everywhere: addresses.iter().any(IpAddr::is_unspecified) })
    }
}

/// Without an address it is loopback, as with sshuttle.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    match text.rsplit_once(':') {
        None => text.parse::<u16>().ok().map(|_| loopback).or_else(|| bracketed(text)),
        Some((host, port)) if port.parse::<u16>().is_ok() => match host {
            "localhost" => Some(loopback),
            host => host.parse::<Ipv4Addr>().ok().map(IpAddr::from).or_else(|| bracketed(host)),
        },
        Some(_) => bracketed(text),
    }
}

fn bracketed(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_mean_others_and_the_rest_means_nothing() {
        for (text, everywhere) in [
            ("0.0.0.0:0", true),
            ("0.0.0.0", true),
            ("[::]:12300", true),
            ("[::]", true),
            ("::", true),
            ("127.0.0.1:12300,[::]:12300", true),
            ("12300", false),
            ("127.0.0.1:12300,[::1]:12300", false),
            ("192.168.1.7:12300", false),
            ("localhost:0", false),
            ("::1", false),
        ] {
            assert_eq!(text.parse(), Ok(Listen { everywhere }), "{text}");
        }
        assert_eq!("0.0.0.0:0".parse::<Listen>().unwrap().share(), ["lan", "containers"]);
        for wrong in ["", ":", "70000", "0.0.0.0:x", "0.0.0.0:0,", "[::", "a.example:1", "1.2.3:4"] {
            assert!(wrong.parse::<Listen>().unwrap_err().contains("[IP:]PORT"), "{wrong}");
        }
    }
}
