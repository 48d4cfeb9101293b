//! Names that this machine's hosts file has.

use std::fs;
use std::net::IpAddr;

/// A file of this many bytes has a hundred thousand names; one that is larger is something else.
const LARGEST: u64 = 8 << 20;

/// Its addresses for a name, in the file's order.
pub fn addresses(name: &str) -> Vec<IpAddr> {
    find(&read(), name)
}

/// Its names with their addresses, in the file's order; at most so many.
pub fn all(most: usize) -> Vec<(String, IpAddr)> {
    list(&read()).take(most).collect()
}

fn read() -> String {
    let sane = fs::metadata("/etc/hosts").is_ok_and(|data| data.len() <= LARGEST);
    if sane { fs::read_to_string("/etc/hosts").unwrap_or_default() } else { String::new() }
}

fn list(text: &str) -> impl Iterator<Item = (String, IpAddr)> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).flat_map(|line| {
        let mut words = line.split_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        words.filter_map(move |name| Some((name.to_owned(), address?)))
    })
}

fn find(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut found: Vec<IpAddr> = lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect();
    let mut seen = vec![];
    found.retain(|address| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_name_once() {
        let text = "127.0.0.1 localhost\n10.0.0.5\tdb.corp db # 10.0.0.9 db\nfd00::5 DB\n10.0.0.5 db\nx db\n";
        let found: Vec<String> = find(text, "db.").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.5", "fd00::5"]);
        assert!(find(text, "d").is_empty());
    }

    #[test]
    fn every_name_with_its_address() {
        let found: Vec<String> = list("10.0.0.5\tdb.corp db # x\nx y\n\nfd00::5 web\n")
            .map(|(name, ip)| format!("{name} {ip}"))
            .collect();
        assert_eq!(found, ["db.corp 10.0.0.5", "db 10.0.0.5", "web fd00::5"]);
    }
}
