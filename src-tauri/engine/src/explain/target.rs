//! What somebody wants explained: `db.corp`, `db.corp:5432`, `10.0.0.5`, `[fd00::5]:443`, `https://db.corp/x`. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::{
    profile::name,
    spelling::{Mistake, Part, decimal},
};

/// What most programs connect to, where nothing is said.
const USUAL_PORT: u16 = 443;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was written.
    pub host: String,
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl Target {
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let (scheme, rest) =
            text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let usual = scheme.map_or(USUAL_PORT, port_of);
        if let Ok(address) = place.parse::<SocketAddr>() {
            return Ok(Self {
                host: address.ip().to_string(),
                address: Some(address.ip()),
                port: address.port(),
            });
        }
        let bare = place.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self { host: bare.into(), address: Some(address), port: usual });
        }
        let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
        let port = match port.map(|port| decimal(port).and_then(|port| u16::try_from(port).ok())) {
            None => usual,
            Some(Some(port)) => port,
            Some(None) => return Err(Part::new(place).mistake("A port is a number up to 65535.")),
        };
        Ok(Self { host: name(Part::new(host))?, address: None, port })
    }
}

fn port_of(scheme: &str) -> u16 {
    match scheme {
        "http" | "ws" => 80,
        "ssh" => 22,
        "ftp" => 21,
        "postgres" | "postgresql" => 5432,
        "mysql" => 3306,
        "ldap" => 389,
        "rdp" => 3389,
        "smb" => 445,
        _ => USUAL_PORT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_urls() {
        for (text, host, is_address, port) in [
            ("db.corp", "db.corp", false, 443),
            ("DB.corp:5432", "db.corp", false, 5432),
            ("10.0.0.5", "10.0.0.5", true, 443),
            ("10.0.0.5:80", "10.0.0.5", true, 80),
            ("fd00::5", "fd00::5", true, 443),
            ("[fd00::5]:22", "fd00::5", true, 22),
            ("http://me@wiki.corp/x?y=http://z", "wiki.corp", false, 80),
            ("https://[fd00::5]/", "fd00::5", true, 443),
            ("postgres://db.corp:6432/app", "db.corp", false, 6432),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (target.host.as_str(), target.address.is_some(), target.port),
                (host, is_address, port),
                "{text}"
            );
        }
        for text in ["", "http://", "a b", "db:99999", "db:x"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
