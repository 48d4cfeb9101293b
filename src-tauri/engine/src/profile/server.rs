//! `[user@]host[:port]`, as one word that ssh takes as its destination, and a port.
//!
//! What ssh itself would refuse, or could take for an option or for shell text in a `ProxyCommand`, is refused
//! here already; everything else is ssh's to judge: the host may be any alias of ~/.ssh/config.

use std::{fmt, net::Ipv6Addr};

use crate::spelling::{Mistake, Part, decimal};

/// What OpenSSH refuses in a user name, because a `ProxyCommand` may hand it to a shell (`valid_ruser`).
const NOT_IN_USER: &str = "'`\";&<>|(){}$";

/// The same for host names (`valid_hostname`), and what belongs to a pattern or an address of the web.
const NOT_IN_HOST: &str = "'`\"$\\;&<>|(){},*?!#/[]";

/// Where ssh goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// `user@host`, `alias`, `fd00::1`: ssh's own spelling, without brackets and port.
    pub destination: String,
    pub port: Option<u16>,
}

impl Server {
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let whole = Part::new(text);
        check_characters(whole)?;
        let (user, rest) = whole.rsplit_once('@').map_or((None, whole), |(user, rest)| (Some(user), rest));
        user.map_or(Ok(()), |user| check_user(user, rest))?;
        let (host, port) = split_port(rest)?;
        let user = user.map_or(String::new(), |user| format!("{}@", user.text()));
        Ok(Self { destination: format!("{user}{}", host.text()), port: port.map(read_port).transpose()? })
    }

    /// The host or alias alone.
    pub fn host(&self) -> &str {
        self.destination.rsplit_once('@').map_or(&self.destination, |(_, host)| host)
    }
}

/// As it is typed.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host();
        f.write_str(&self.destination[..self.destination.len() - host.len()])?;
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.into() };
        f.write_str(&bracketed)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn check_characters(whole: Part) -> Result<(), Mistake> {
    let text = whole.text();
    if let Some(space) = whole.find(char::is_whitespace) {
        let message = "No spaces here: a server is written as user@host:port.";
        let trimmed = text.trim();
        return Err(if trimmed.contains(char::is_whitespace) || trimmed.is_empty() {
            space.mistake(message)
        } else {
            space.mistake(message).suggest(trimmed)
        });
    }
    if let Some(invisible) = whole.find(char::is_control) {
        return Err(invisible.mistake("There is an invisible character here."));
    }
    match text.strip_prefix("ssh://") {
        Some(rest) => {
            Err(whole.slice(0, 6).mistake("Without ssh:// in front.").suggest(rest.trim_end_matches('/')))
        }
        None => Ok(()),
    }
}

fn check_user(user: Part, rest: Part) -> Result<(), Mistake> {
    if user.text().is_empty() {
        return Err(user.slice(0, 0).mistake("The user in front of the @ is missing.").suggest(rest.text()));
    }
    if let Some((name, password)) = user.split_once(':') {
        let message =
            "A password does not belong here: use a key, or type the password when ssh asks for it.";
        return Err(password.with_separator().mistake(message).suggest(format!(
            "{}@{}",
            name.text(),
            rest.text()
        )));
    }
    if user.text().ends_with('\\') {
        return Err(user
            .slice(user.text().len() - 1, user.text().len())
            .mistake("The user after the backslash is missing."));
    }
    refuse_dash(user)?;
    refuse(user, NOT_IN_USER, "a user name")
}

fn split_port(rest: Part<'_>) -> Result<(Part<'_>, Option<Part<'_>>), Mistake> {
    if rest.text().starts_with('[') {
        return split_brackets(rest);
    }
    if rest.text().parse::<Ipv6Addr>().is_ok() {
        return Err(rest
            .mistake("An IPv6 address stands in brackets.")
            .suggest(rest.replaced_by(&format!("[{}]", rest.text()))));
    }
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    if host.text().is_empty() {
        return Err(host.with_separator().mistake("The host is missing."));
    }
    refuse_dash(host)?;
    refuse(host, NOT_IN_HOST, "a host")?;
    Ok((host, port))
}

/// `[fd00::1]:22`, `[fe80::1%eth0]`
fn split_brackets(rest: Part<'_>) -> Result<(Part<'_>, Option<Part<'_>>), Mistake> {
    let Some((opened, after)) = rest.split_once(']') else {
        return Err(rest.slice(0, 1).mistake("The bracket that is opened here is never closed."));
    };
    let host = opened.slice(1, opened.text().len());
    let (address, zone) = host.split_once('%').unwrap_or((host, host));
    if address.text().parse::<Ipv6Addr>().is_err() {
        return Err(host.mistake("Only an IPv6 address stands in brackets."));
    }
    refuse(zone, NOT_IN_HOST, "an interface")?;
    match (after.text(), after.strip_prefix(':')) {
        ("", _) => Ok((host, None)),
        (_, Some(port)) => Ok((host, Some(port))),
        _ => Err(after.mistake("After the bracket only a port may follow, with a colon.")),
    }
}

fn read_port(part: Part) -> Result<u16, Mistake> {
    if part.text().is_empty() {
        return Err(part.with_separator().mistake("The port after the colon is missing."));
    }
    let number =
        decimal(part.text()).and_then(|number| u16::try_from(number).ok()).filter(|&number| number > 0);
    number.ok_or_else(|| part.mistake("A port is a number from 1 to 65535."))
}

/// ssh would take it for an option.
fn refuse_dash(part: Part) -> Result<(), Mistake> {
    match part.strip_prefix('-') {
        Some(_) => Err(part.slice(0, 1).mistake("It cannot begin with a dash.")),
        None => Ok(()),
    }
}

fn refuse(part: Part, characters: &str, what: &str) -> Result<(), Mistake> {
    match part.find(|c| characters.contains(c)) {
        Some(odd) => Err(odd.mistake(format!("“{}” is not part of {what}.", odd.text()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
