//! What counts as the name of a computer, and as an address that one can have.

use std::net::IpAddr;

/// RFC 1035: 255 octets on the wire are 253 characters, 63 in each label.
const NAME: usize = 253;
const LABEL: usize = 63;

/// In small letters and without a dot behind; None when it is no host's: those have letters, digits and hyphens (RFC 1123),
/// and some people's an underscore.
pub fn host(text: &str) -> Option<String> {
    let text = text.trim_end_matches('.');
    let label = |label: &str| {
        (1..=LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let good = text.len() <= NAME && text.split('.').all(label);
    let own = text.split('.').next().is_some_and(|first| first.eq_ignore_ascii_case("localhost"));
    (good && !own && text.parse::<IpAddr>().is_err()).then(|| text.to_ascii_lowercase())
}

/// Whether it means the same computer to everybody who can reach it: not this one, not one on the same cable alone, not many.
pub fn is_somewhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // RFC 1122, 3.2.1.3: "this network"
            let nowhere = v4.octets()[0] == 0 || v4.is_loopback() || v4.is_link_local();
            !(nowhere || v4.is_multicast() || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            let nowhere = v6.is_unspecified() || v6.is_loopback() || v6.is_unicast_link_local();
            !(nowhere || v6.is_multicast() || v6.to_ipv4_mapped().is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_computers() {
        assert_eq!(host("DB-1.Corp.Example.").as_deref(), Some("db-1.corp.example"));
        assert_eq!(host("file_srv").as_deref(), Some("file_srv"));
        for text in
            ["", ".", "a b", "ü", "localhost", "LocalHost.localdomain", "10.0.0.5", "a..b", &"a".repeat(64)]
        {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_of_computers() {
        for (text, good) in [
            ("10.0.0.5", true),
            ("fd20::5", true),
            ("127.0.1.1", false),
            ("0.0.0.0", false),
            ("169.254.1.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_somewhere(text.parse().expect("an address")), good, "{text}");
        }
    }
}
