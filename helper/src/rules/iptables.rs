//! One session's redirect rules for machines without `nf_tables`, or without tables that belong to a socket: text for
//! `iptables-restore --noflush` and `ip6tables-restore --noflush`. Pure.
//!
//! ```text
//! OUTPUT -> ropeway-out   what this machine's programs send, in the session's scope
//! ```
//! There are no sets and no chains that others cannot touch, so these carry one session, and no blocks. Every line is
//! written as `iptables-save` prints it, so that reading back is a comparison of lines. The rules outlive the process:
//! whoever loads them writes that down first.

use ropeway_helper_api::{Capture, DIRECT_MARK, Dns, Grant, Ports, Route};

use super::{SessionPlan, flatten::Family, render::listener};

/// Ours, in the table `nat`.
const CHAIN: &str = "ropeway-out";

/// Of the store: that there may be rules which nobody but us removes.
pub const JOURNAL: &str = "iptables";

/// What belongs into the table `nat` of one family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// In our chain, in their order.
    pub rules: Vec<String>,
    /// In the kernel's chains: the jumps to it.
    pub jumps: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    #[error("iptables cannot tell whose cgroup a connection is of")]
    Cgroup,
    #[error("iptables knows interfaces by name only, so it cannot serve as a router")]
    Router,
}

/// What one session wants of one family. Its cgroup is not exempt (the match for it needs a path, and a module that few
/// kernels have): its marked sockets and its endpoints are. What it rejects passes: that needs chains of another table.
pub fn render(session: &SessionPlan, family: Family) -> Result<Lines, Unsupported> {
    if session.plan.capture == Capture::Cgroup {
        return Err(Unsupported::Cgroup);
    }
    if !session.plan.forwarded.is_empty() {
        return Err(Unsupported::Router);
    }
    let mid_connection = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN".into();
    let mut rules = vec![mid_connection, format!("-m mark --mark {DIRECT_MARK:#x} -j RETURN")];
    rules.extend(endpoints(session, family));
    rules.extend(session.plan.dns.as_ref().into_iter().flat_map(|dns| names(session, dns, family)));
    rules.push("-m addrtype --dst-type LOCAL -j RETURN".into());
    rules.extend(routes(session, family));
    let rules = rules.into_iter().map(|rule| format!("-A {CHAIN} {rule}")).collect();
    Ok(Lines { rules, jumps: vec![format!("-A OUTPUT {}-j {CHAIN}", scope(session))] })
}

/// The text that makes these lines the only ones of ours, in one step. `saved` is what `iptables-save -t nat` says now.
pub fn restore(lines: &Lines, saved: &str) -> String {
    let emptied = [format!(":{CHAIN} - [0:0]")].into_iter();
    let jumps = lines.jumps.iter().map(|jump| jump.replacen("-A OUTPUT", "-I OUTPUT 1", 1));
    transaction(emptied.chain(unhooking(saved)).chain(lines.rules.iter().cloned()).chain(jumps))
}

/// The text that removes all that is ours; None when there is nothing.
pub fn removal(saved: &str) -> Option<String> {
    let is_there = saved.lines().any(|line| line.starts_with(&format!(":{CHAIN} ")));
    let removed = [format!("-F {CHAIN}"), format!("-X {CHAIN}")];
    is_there.then(|| transaction(unhooking(saved).chain(removed)))
}

/// iptables-restore carries out all of it, or nothing.
fn transaction(lines: impl Iterator<Item = String>) -> String {
    let all = ["*nat".to_owned()].into_iter().chain(lines).chain(["COMMIT".to_owned()]);
    all.map(|line| line + "\n").collect()
}

fn unhooking(saved: &str) -> impl Iterator<Item = String> {
    jumps(saved).map(|jump| jump.replacen("-A", "-D", 1))
}

/// What is ours in the table, to be compared with what was wanted.
pub fn ours(saved: &str) -> Lines {
    let in_chain = |line: &&str| line.starts_with(&format!("-A {CHAIN} "));
    Lines {
        rules: saved.lines().filter(in_chain).map(str::to_owned).collect(),
        jumps: jumps(saved).map(str::to_owned).collect(),
    }
}

fn jumps(saved: &str) -> impl Iterator<Item = &str> {
    let to_ours = |line: &&str| line.ends_with(&format!("-j {CHAIN}"));
    saved.lines().filter(|line| line.starts_with("-A ")).filter(to_ours)
}

/// With [`Grant::Own`] only the owner is meant, whatever the plan says.
fn scope(session: &SessionPlan) -> String {
    let of_user = |uid| format!("-m owner --uid-owner {uid} ");
    match (session.grant, session.plan.capture) {
        (Grant::Own, _) => of_user(session.uid),
        (Grant::All, Capture::User { uid }) => of_user(uid),
        (Grant::All, Capture::Group { gid }) => format!("-m owner --gid-owner {gid} "),
        (Grant::All, Capture::Everyone | Capture::Cgroup) => String::new(),
    }
}

fn endpoints(session: &SessionPlan, family: Family) -> impl Iterator<Item = String> {
    let of_family = move |endpoint: &&std::net::SocketAddr| endpoint.is_ipv4() == (family == Family::V4);
    session.plan.endpoints.iter().filter(of_family).map(move |endpoint| {
        let (address, port) = (endpoint.ip(), endpoint.port());
        format!("-d {address}/{} -p tcp -m tcp --dport {port} -j RETURN", family.bits())
    })
}

fn names(session: &SessionPlan, dns: &Dns, family: Family) -> Vec<String> {
    let port = match family {
        Family::V4 => dns.v4,
        Family::V6 => dns.v6,
    };
    let Some(port) = port else { return vec![] };
    let of_family = dns.servers.iter().filter(|server| server.is_ipv4() == (family == Family::V4));
    let mut to: Vec<String> = of_family.map(|server| format!("-d {server}/{} ", family.bits())).collect();
    if dns.servers.is_empty() {
        to.push(String::new());
    }
    let question = |to: String| {
        let udp = format!("{to}-p udp -m udp --dport 53 -j REDIRECT --to-ports {port}");
        let tcp = listener(&session.plan.listeners, family);
        let tcp = tcp
            .map(|ports| format!("{to}-p tcp -m tcp --dport 53 -j REDIRECT --to-ports {}", span(ports, '-')));
        [Some(udp), tcp].into_iter().flatten()
    };
    to.into_iter().flat_map(question).collect()
}

/// The most specific one first, and at a tie the exclusion: here the first rule that matches decides.
fn routes(session: &SessionPlan, family: Family) -> Vec<String> {
    let Some(ports) = listener(&session.plan.listeners, family) else { return vec![] };
    let captured = format!("REDIRECT --to-ports {}", span(ports, '-'));
    let tagged = |routes: &[Route], tie: u8| routes.iter().map(|route| (*route, tie)).collect::<Vec<_>>();
    let mut routes = [tagged(&session.plan.exclude, 0), tagged(&session.plan.include, 1)].concat();
    routes.retain(|(route, _)| route.net.addr().is_ipv4() == (family == Family::V4));
    routes.sort_by_key(|(route, tie)| {
        (route.ports.last - route.ports.first, u8::MAX - route.net.prefix_len(), *tie)
    });
    let line = |(route, tie): (Route, u8)| {
        let target = if tie == 0 { "RETURN" } else { &captured };
        format!("{}-p tcp{} -j {target}", destination(route), ports_match(route.ports))
    };
    routes.into_iter().map(line).collect()
}

/// iptables prints no destination where all are meant.
fn destination(route: Route) -> String {
    if route.net.prefix_len() == 0 { String::new() } else { format!("-d {} ", route.net) }
}

fn ports_match(ports: Ports) -> String {
    if ports.is_all() { String::new() } else { format!(" -m tcp --dport {}", span(ports, ':')) }
}

fn span(Ports { first, last }: Ports, between: char) -> String {
    if first == last { first.to_string() } else { format!("{first}{between}{last}") }
}
