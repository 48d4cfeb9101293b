//! The one grammar of networks for window, command line, files and imports:
//!
//! ```text
//! 10.0.0.0/8   10/8   0/0   192.168.1.5   192.168.1.5:8000-9000   10/8:80,443
//! fd00::/8   ::/0   [fd00::/8]:443
//! db.corp.example   db.corp.example/24:5432   *.corp.example   @networks.txt
//! ```
//!
//! Pure: nothing is resolved or asked here. Start with [`parse_entry`], which takes all of it, or with [`parse`], for
//! where only a network can stand; `address` reads the part before the ports, `named` a name in its place.

mod address;
mod named;
mod note;
mod ports;

use std::{fmt, str::FromStr};

use ipnet::IpNet;
use ropeway_helper_api::{Ports, Route};

pub use crate::spelling::Mistake as SubnetError;
pub use named::Named;

use crate::spelling::Part;

/// What may stand in a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    Net(Subnet),
    Name(Named),
    /// A file with one entry on each line, read again whenever it changes.
    File(String),
}

/// A network and the TCP ports of it that are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    net: IpNet,
    /// In order, apart from each other; empty = all.
    ports: Vec<Ports>,
}

/// Reads one network as a person types it.
pub fn parse(text: &str) -> Result<Subnet, SubnetError> {
    read(text).map_err(|mut mistake| {
        // A suggestion that is wrong itself helps nobody.
        mistake.suggestion = mistake.suggestion.filter(|better| read(better).is_ok());
        mistake
    })
}

/// Reads one entry of a list as a person types it.
pub fn parse_entry(text: &str) -> Result<Entry, SubnetError> {
    if let Some(path) = text.strip_prefix('@') {
        return file(path, Part::new(text)).map(Entry::File);
    }
    match named::read(text) {
        Some(named) => named.map(Entry::Name),
        None => parse(text).map(Entry::Net),
    }
}

fn file(path: &str, whole: Part) -> Result<String, SubnetError> {
    if path.trim().is_empty() || path.contains('\0') {
        return Err(whole.mistake("Behind the @ stands the path of a file."));
    }
    let known = path.starts_with('/') || path.starts_with("~/");
    if known { Ok(path.into()) } else { Err(whole.mistake("The path of a file begins with / or ~/ here.")) }
}

/// What programs that read addresses with `inet_aton(3)` make of the same text: to them 10.1/16 is 10.0.0.1/16.
/// None for IPv6.
pub(crate) fn to_inet_aton(text: &str) -> Option<Subnet> {
    let subnet = parse(text).ok()?;
    let (part, _) = split_ports(Part::new(text)).ok()?;
    let net = address::to_inet_aton(part, subnet.net.prefix_len())?;
    Some(Subnet { net, ..subnet })
}

/// Has fewer than four numbers: `10/8`, `10.1`.
pub(crate) fn is_short(text: &str) -> bool {
    let address = text.split(['/', ':']).next().unwrap_or_default();
    address.split('.').count() < 4
        && address.starts_with(|c: char| c.is_ascii_digit())
        && text.matches(':').count() < 2
}

impl Subnet {
    /// The network; nothing is set behind its width.
    pub fn net(&self) -> IpNet {
        self.net
    }

    /// The ports, in order and apart from each other; empty = all.
    pub fn ports(&self) -> &[Ports] {
        &self.ports
    }

    /// What the helper is asked for: one route for each range of ports.
    pub fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        let all = self.ports.is_empty().then_some(Ports::ALL);
        self.ports.iter().copied().chain(all).map(|ports| Route { net: self.net, ports })
    }

    /// The same ports of another network.
    pub(crate) fn narrowed(&self, net: IpNet) -> Self {
        Self { net: net.trunc(), ports: self.ports.clone() }
    }

    /// How much it is, in words: "16 777 216 addresses, ports 80 and 443".
    pub fn note(&self) -> String {
        note::note(self)
    }
}

impl From<IpNet> for Subnet {
    fn from(net: IpNet) -> Self {
        Self { net: net.trunc(), ports: vec![] }
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        parse(text)
    }
}

/// The canonical spelling; [`parse`] reads it back to the same value.
impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.net.prefix_len() == self.net.max_prefix_len();
        let net = if host { self.net.addr().to_string() } else { self.net.to_string() };
        match (self.ports.as_slice(), self.net) {
            ([], _) => f.write_str(&net),
            (ports, IpNet::V4(_)) => write!(f, "{net}:{}", ports::Listed(ports)),
            (ports, IpNet::V6(_)) => write!(f, "[{net}]:{}", ports::Listed(ports)),
        }
    }
}

fn read(text: &str) -> Result<Subnet, SubnetError> {
    let whole = Part::new(text);
    check_characters(whole)?;
    let (net, ports) = split_ports(whole)?;
    let net = address::parse(net)?;
    let ports = ports.map(ports::parse).transpose()?.unwrap_or_default();
    Ok(Subnet { net, ports })
}

/// After this, a character is a byte and stands for itself.
fn check_characters(whole: Part) -> Result<(), SubnetError> {
    let text = whole.text();
    if text.trim().is_empty() {
        return Err(whole.mistake("A network is missing: for example 10.0.0.0/8."));
    }
    if let Some(space) = whole.find(char::is_whitespace) {
        let message = if text.trim() == text {
            "One network for each entry: no spaces in it."
        } else {
            "No spaces around it."
        };
        return Err(space.mistake(message).suggest(text.trim()));
    }
    match whole.find(|c| !c.is_ascii_graphic()) {
        Some(odd) if odd.text().contains(char::is_control) => {
            Err(odd.mistake("There is an invisible character here."))
        }
        Some(odd) => Err(odd.mistake(format!("“{}” is not part of an address.", odd.text()))),
        None => Ok(()),
    }
}

/// The network, and what follows its colon.
fn split_ports(whole: Part<'_>) -> Result<(Part<'_>, Option<Part<'_>>), SubnetError> {
    if whole.text().starts_with('[') {
        return split_brackets(whole);
    }
    match whole.split_once(':') {
        None => Ok((whole, None)),
        Some((net, ports)) if net.text().contains('.') || !ports.text().contains(':') => {
            Ok((net, Some(ports)))
        }
        Some(_) => without_brackets(whole).map(|net| (net, None)),
    }
}

/// `[fd00::/8]:443`
fn split_brackets(whole: Part<'_>) -> Result<(Part<'_>, Option<Part<'_>>), SubnetError> {
    let Some((opened, rest)) = whole.split_once(']') else {
        return Err(whole.slice(0, 1).mistake("The bracket that is opened here is never closed."));
    };
    let net = opened.slice(1, opened.text().len());
    if !net.text().contains(':') {
        let better = [net.text(), rest.text()].concat();
        return Err(opened.mistake("Brackets are only for IPv6.").suggest(better));
    }
    if rest.text().is_empty() {
        return Ok((net, None));
    }
    match rest.strip_prefix(':') {
        Some(ports) => Ok((net, Some(ports))),
        None => Err(after_bracket(net, rest)),
    }
}

/// `[fd00::]/8`, `[fd00::]443`
fn after_bracket(net: Part, rest: Part) -> SubnetError {
    let mistake = rest.mistake("After the bracket only ports may follow, with a colon.");
    match rest.text().strip_prefix('/') {
        Some(tail) => {
            let (width, ports) = tail.split_at(tail.find(':').unwrap_or(tail.len()));
            mistake.suggest(format!("[{}/{width}]{ports}", net.text()))
        }
        None => mistake.suggest(format!("[{}]:{}", net.text(), rest.text())),
    }
}

/// IPv6 as it stands, where a colon behind the width would begin ports: `fd00::/8:443`.
fn without_brackets(whole: Part<'_>) -> Result<Part<'_>, SubnetError> {
    let Some((_, width)) = whole.split_once('/') else { return Ok(whole) };
    let Some((_, ports)) = width.split_once(':') else { return Ok(whole) };
    let net = &whole.text()[..whole.text().len() - ports.text().len() - 1];
    let mistake = ports.with_separator().mistake("Where ports follow, an IPv6 network stands in brackets.");
    Err(mistake.suggest(format!("[{net}]:{}", ports.text())))
}

#[cfg(test)]
mod tests;
