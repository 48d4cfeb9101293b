//! Who takes a connection. The same order as in the kernel: narrower ports first, then the longer prefix; an exclusion before
//! what goes through, and the tunnel that came first before others. Pure.

use std::net::SocketAddr;

use ropeway_helper_api::Route;

use crate::{session::reach::Effective, subnet::Subnet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// By its place in the list.
    pub profile: Option<usize>,
    /// The rule that decided, as typed; empty when none knows the address.
    pub rule: String,
    pub why: String,
}

/// Ports' width, what the prefix leaves open, an exclusion first.
type Rank = (u16, u8, bool);

pub fn verdict(target: SocketAddr, tunnels: &[(&str, &Effective)]) -> Verdict {
    let mut best: Option<(Rank, usize, String, bool)> = None;
    let mut also = vec![];
    for (index, (_, effective)) in tunnels.iter().enumerate() {
        let (include, exclude) = (effective.include(), effective.exclude());
        let lists = [(true, &include), (false, &exclude)];
        for (through, (word, rank)) in
            lists.into_iter().filter_map(|(through, list)| Some((through, narrowest(target, list)?)))
        {
            let rank = (rank.0, rank.1, through);
            if through {
                also.push(index);
            }
            if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
                best = Some((rank, index, word, through));
            }
        }
    }
    match best {
        None => Verdict {
            profile: None,
            rule: String::new(),
            why: "no tunnel has a network with this address".into(),
        },
        Some((_, index, rule, true)) => {
            let others: Vec<&str> = also.iter().filter(|it| **it != index).map(|it| tunnels[*it].0).collect();
            let why = if others.is_empty() {
                format!("it is in {rule}")
            } else {
                format!("{rule} is the closest; it is also in what {} takes", others.join(" and "))
            };
            Verdict { profile: Some(index), rule, why }
        }
        Some((_, index, rule, false)) => {
            let why = format!("{} leaves it out, by {rule}", tunnels[index].0);
            Verdict { profile: None, rule, why }
        }
    }
}

fn narrowest(target: SocketAddr, list: &[(String, Subnet)]) -> Option<(String, (u16, u8))> {
    let (ip, port) = (target.ip().to_canonical(), target.port());
    let matches = |route: &Route| route.net.contains(&ip) && route.ports.range().contains(&port);
    let rank = |route: Route| {
        (route.ports.last - route.ports.first, route.net.max_prefix_len() - route.net.prefix_len())
    };
    let all = list.iter().flat_map(|(word, subnet)| {
        subnet.routes().filter(matches).map(move |route| (word.clone(), rank(route)))
    });
    all.min_by_key(|(_, rank)| *rank)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{api::Profile, profile};

    fn effective(include: &[&str], exclude: &[&str]) -> Effective {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let typed = Profile {
            name: "test".into(),
            server: "host".into(),
            subnets: texts(include),
            excludes: texts(exclude),
            ..Profile::default()
        };
        Effective::new(Arc::new(profile::parse(&typed).unwrap()))
    }

    #[test]
    fn the_most_specific_rule_of_all_tunnels_decides() {
        let (work, lab) = (effective(&["10/8", "0/0:443"], &["10.9/16"]), effective(&["10.1/16"], &[]));
        let all = [("Work", &work), ("Lab", &lab)];
        for (target, profile, rule) in [
            ("10.2.3.4:22", Some(0), "10/8"),
            ("10.1.2.3:22", Some(1), "10.1/16"),
            ("10.1.2.3:443", Some(0), "0/0:443"),
            ("10.9.1.1:22", None, "10.9/16"),
            ("192.0.2.1:22", None, ""),
        ] {
            let verdict = verdict(target.parse().unwrap(), &all);
            assert_eq!(
                (verdict.profile, verdict.rule.as_str()),
                (profile, rule),
                "{target}: {}",
                verdict.why
            );
        }
    }
}
