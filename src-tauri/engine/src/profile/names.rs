//! What a profile wants of names, understood.

use std::net::{IpAddr, SocketAddr};

use ropeway_helper_api::hosts::is_suffix;

use super::check::at;
use crate::{
    api::{self, Checked, Field},
    spelling::{Mistake, Part},
};

/// RFC 1035: 255 octets on the wire are 253 characters, 63 in each label.
const NAME: usize = 253;
const LABEL: usize = 63;
/// RFC 1035.
const PORT: u16 = 53;

/// Ready to be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// None: questions are not captured.
    pub dns: Option<Dns>,
    /// None: nobody looks for names.
    pub hosts: Option<Hosts>,
}

/// Whose questions, and who answers them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// In small letters, without dots around; empty = all names.
    pub domains: Vec<String>,
    /// Asked on the server, in this order; empty = the server's own.
    pub servers: Vec<SocketAddr>,
    /// Whom programs ask; empty = whoever it is.
    pub asked: Vec<IpAddr>,
}

/// Which names are looked for on the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts {
    /// Also without `auto_hosts` these are.
    pub seeds: Vec<String>,
    /// Look around, and not only for the seeds.
    pub auto: bool,
    /// In small letters, without a dot in front; empty = none.
    pub suffix: String,
}

/// What was typed; problems go to `found`.
pub fn read(typed: &api::Names, found: &mut Checked) -> Names {
    let domains = list(Field::Domains, &typed.domains, domain, found);
    let servers = list(Field::NameServers, &typed.name_servers, server, found);
    let asked = list(Field::NsHosts, &typed.ns_hosts, address, found);
    let seeds = list(Field::SeedHosts, &typed.seed_hosts, name, found);
    let suffix = suffix(&typed.suffix, found);
    let wants_dns = typed.dns || !domains.is_empty() || !servers.is_empty() || !asked.is_empty();
    let wants_hosts = typed.auto_hosts || !seeds.is_empty();
    Names {
        dns: wants_dns.then_some(Dns { domains, servers, asked }),
        hosts: wants_hosts.then_some(Hosts { seeds, auto: typed.auto_hosts, suffix }),
    }
}

fn list<T>(
    field: Field,
    texts: &[String],
    read: fn(Part) -> Result<T, Mistake>,
    found: &mut Checked,
) -> Vec<T> {
    let mut all = vec![];
    for (index, text) in (0..).zip(texts) {
        match read(Part::new(text)) {
            Ok(one) => all.push(one),
            Err(mistake) => found.problems.push(at(field, Some(index), mistake)),
        }
    }
    all
}

fn suffix(text: &str, found: &mut Checked) -> String {
    if text.is_empty() {
        return String::new();
    }
    let part = Part::new(text);
    let usable = |suffix: String| {
        let everybodys = "Names that end like this belong to others: for example work or corp.example.";
        if is_suffix(&suffix) { Ok(suffix) } else { Err(part.mistake(everybodys)) }
    };
    domain(part).and_then(usable).unwrap_or_else(|mistake| {
        found.problems.push(at(Field::Suffix, None, mistake));
        String::new()
    })
}

/// `corp.example`, also as `.corp.example` and `*.corp.example`: what is below a domain is always meant.
fn domain(part: Part) -> Result<String, Mistake> {
    let bare = part.strip_prefix('*').unwrap_or(part);
    let bare = bare.strip_prefix('.').unwrap_or(bare);
    name(bare)
}

/// RFC 1123, and the underscore that services have (RFC 8552). In small letters.
pub(crate) fn name(part: Part) -> Result<String, Mistake> {
    let text = part.text().strip_suffix('.').unwrap_or(part.text());
    if text.is_empty() {
        return Err(part.with_separator().mistake("A name is missing: for example corp.example."));
    }
    if let Some(odd) = part.find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
        let message = if odd.text().is_ascii() {
            format!("“{}” is not part of a name.", odd.text())
        } else {
            "Names with other letters are written in their xn-- form.".into()
        };
        return Err(odd.mistake(message));
    }
    if text.len() > NAME {
        return Err(part.mistake(format!("A name has at most {NAME} characters.")));
    }
    match part.split('.').find(|label| label.text().len() > LABEL || label.text().is_empty()) {
        Some(label) if label.text().is_empty() && !part.text().ends_with('.') => {
            Err(label.with_separator().mistake("Something is missing between the dots."))
        }
        Some(label) if label.text().len() > LABEL => {
            Err(label.mistake(format!("Between two dots there are at most {LABEL} characters.")))
        }
        _ => Ok(text.to_ascii_lowercase()),
    }
}

fn address(part: Part) -> Result<IpAddr, Mistake> {
    let text = part.text().trim_start_matches('[').trim_end_matches(']');
    text.parse().map_err(|_| part.mistake("A name server is given by its address: for example 10.0.0.53."))
}

/// `10.0.0.53`, `10.0.0.53@5353`, as sshuttle has it; `[fd00::53]:5353`, as everybody else has.
fn server(part: Part) -> Result<SocketAddr, Mistake> {
    if let Ok(address) = part.text().parse() {
        return Ok(address);
    }
    let Some((host, port)) = part.rsplit_once('@') else { return Ok(SocketAddr::new(address(part)?, PORT)) };
    let number = port.text().parse().ok().filter(|port| *port != 0);
    let port = number.ok_or_else(|| port.with_separator().mistake("A port is a number from 1 to 65535."))?;
    Ok(SocketAddr::new(address(host)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(typed: &api::Names) -> Vec<(Field, Option<(u32, u32)>)> {
        let mut found = Checked::default();
        read(typed, &mut found);
        found.problems.into_iter().map(|problem| (problem.field, problem.span)).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_typed_is_understood() {
        let typed = api::Names {
            domains: texts(&["Corp.Example.", "*.lab", ".db.lab"]),
            name_servers: texts(&["10.0.0.53", "10.0.0.53@5353", "fd00::53", "[fd00::53]:54", "fd00::53@55"]),
            ns_hosts: texts(&["192.0.2.1", "[fd00::1]"]),
            seed_hosts: texts(&["db", "_x.Web"]),
            suffix: ".Work".into(),
            ..api::Names::default()
        };
        let mut found = Checked::default();
        let names = read(&typed, &mut found);
        assert_eq!(found.problems, []);
        let dns = names.dns.unwrap();
        assert_eq!(dns.domains, ["corp.example", "lab", "db.lab"]);
        let servers: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
        assert_eq!(
            servers,
            ["10.0.0.53:53", "10.0.0.53:5353", "[fd00::53]:53", "[fd00::53]:54", "[fd00::53]:55"]
        );
        assert_eq!(dns.asked.len(), 2);
        let hosts = names.hosts.unwrap();
        assert_eq!(
            (hosts.seeds, hosts.suffix.as_str(), hosts.auto),
            (texts(&["db", "_x.web"]), "work", false)
        );
    }

    #[test]
    fn nothing_typed_wants_nothing() {
        assert_eq!(read(&api::Names::default(), &mut Checked::default()), Names::default());
    }

    #[test]
    fn a_suffix_is_not_what_ends_everybodys_names() {
        for (suffix, mistakes) in [("work", 0), ("corp.example", 0), ("com", 1), (".de", 1), ("a_b", 1)] {
            let typed = api::Names { suffix: suffix.into(), ..api::Names::default() };
            assert_eq!(problems(&typed).len(), mistakes, "{suffix}");
        }
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let long = "a".repeat(64);
        for (text, span) in
            [("a b", (1, 2)), ("", (0, 0)), ("a..b", (1, 2)), ("ü.de", (0, 1)), (long.as_str(), (0, 64))]
        {
            let typed = api::Names { domains: texts(&[text]), ..api::Names::default() };
            assert_eq!(problems(&typed), [(Field::Domains, Some(span))], "{text}");
        }
        for text in ["ns.corp", "10.0.0.53@0", "10.0.0.53@x", "@53", "10.0.0.53@70000"] {
            let typed = api::Names { name_servers: texts(&[text]), ..api::Names::default() };
            assert_eq!(problems(&typed).len(), 1, "{text}");
        }
    }
}
