//! What a profile that fails closed keeps closed. Pure: the helper closes it, [`machine`](super::machine) says until
//! when.

use std::collections::BTreeSet;

use ropeway_helper_api::{Block, BlockId, Capture, Route};
use sha2::{Digest, Sha256};

use crate::{
    api::{ProfileId, WhileDown},
    profile::{Parsed, Server},
    routes::routes,
    subnet::Subnet,
};

/// The two things that are kept closed in turn; never neither.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// While there is no tunnel.
    pub down: Block,
    /// While there is one. The profile's networks stay closed beside it: what a tunnel does not carry may not leave
    /// another way, and nothing is open between a crash and whoever notices.
    pub up: Block,
}

impl Closed {
    /// None when traffic goes its usual way while the tunnel is down.
    ///
    /// `local` are the networks that this computer is in.
    pub fn of(
        profile: &ProfileId,
        parsed: &Parsed,
        capture: Capture,
        local: &BTreeSet<Subnet>,
    ) -> Option<Self> {
        let up = Block {
            id: id(profile, parsed),
            include: routes(&parsed.include).collect(),
            exclude: routes(&parsed.exclude).chain(staying(parsed, local)).collect(),
            capture,
            endpoints: vec![],
            dns: false,
            direct_cgroup: true,
        };
        match parsed.while_down {
            WhileDown::Open => None,
            WhileDown::Networks => Some(Self { down: up.clone(), up }),
            // who wants everything held means the neighbours, too
            WhileDown::Everything => {
                let exclude = routes(&parsed.exclude).collect();
                Some(Self { down: Block { include: everything(), exclude, ..up.clone() }, up })
            }
        }
    }
}

/// What stays reachable while the tunnel is up does so while it is down.
fn staying(parsed: &Parsed, local: &BTreeSet<Subnet>) -> Vec<Route> {
    let typed = |net| parsed.include.iter().any(|(_, subnet)| subnet.net() == net);
    let staying = local.iter().filter(|local| !parsed.reach.local_networks && !typed(local.net()));
    staying.flat_map(Subnet::routes).collect()
}

/// The same for every engine that ever runs this profile, so that the next one takes over what a killed one left. A
/// profile that is in no file is known by where it goes and what it takes along.
fn id(profile: &ProfileId, parsed: &Parsed) -> BlockId {
    let mut hash = Sha256::new();
    if profile.is_unsaved() {
        hash.update(parsed.server.as_ref().map(Server::to_string).unwrap_or_default());
        for (_, subnet) in &parsed.include {
            hash.update(format!(" {subnet}"));
        }
        for (_, subnet) in &parsed.exclude {
            hash.update(format!(" -{subnet}"));
        }
        hash.update(format!(" {:?}", parsed.capture));
    } else {
        hash.update(format!("profile {}", profile.0));
    }
    let first = hash.finalize().into_iter().take(size_of::<u64>());
    BlockId(first.fold(0, |id, byte| id << 8 | u64::from(byte)))
}

fn everything() -> Vec<Route> {
    ["0.0.0.0/0", "::/0"]
        .into_iter()
        .filter_map(|all| all.parse().ok())
        .map(|net: ipnet::IpNet| net.into())
        .collect()
}

/// What is held, in words: "traffic to 3 networks is held".
pub fn words(parsed: &Parsed) -> String {
    match (parsed.while_down, &parsed.include[..]) {
        (WhileDown::Everything, _) => "all traffic is held".into(),
        (_, [(_, one)]) => format!("traffic to {one} is held"),
        (_, many) => format!("traffic to {} networks is held", many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Profile, profile, subnet};

    fn parsed(server: &str, subnets: &[&str], while_down: WhileDown) -> Parsed {
        let subnets = subnets.iter().map(ToString::to_string).collect();
        let profile = Profile {
            name: "test".into(),
            server: server.into(),
            subnets,
            excludes: vec!["10.9/16".into()],
            while_down,
            ..Profile::default()
        };
        profile::parse(&profile).unwrap()
    }

    fn closed(parsed: &Parsed) -> Option<Closed> {
        Closed::of(&ProfileId("work".into()), parsed, Capture::Everyone, &BTreeSet::new())
    }

    #[test]
    fn a_profile_that_stays_open_closes_nothing() {
        assert_eq!(closed(&parsed("host", &["10/8"], WhileDown::Open)), None);
    }

    #[test]
    fn networks_are_closed_in_both_families_whatever_this_computer_has() {
        let Closed { down, up } =
            closed(&parsed("host", &["10/8", "[fd00::/8]:443"], WhileDown::Networks)).unwrap();
        assert_eq!((down.include.len(), down.exclude.len(), &down), (2, 1, &up));
        down.validate().unwrap();
    }

    #[test]
    fn neighbours_stay_reachable_but_where_everything_is_held() {
        let local = BTreeSet::from(["192.168.1.0/24", "10.0.0.0/8"].map(|net| subnet::parse(net).unwrap()));
        let of = |while_down| {
            let parsed = parsed("host", &["0/0", "10/8"], while_down);
            Closed::of(&ProfileId("work".into()), &parsed, Capture::Everyone, &local).unwrap()
        };
        let excluded = |block: &Block| {
            block.exclude.iter().map(|route| route.net.to_string()).collect::<Vec<_>>().join(" ")
        };
        let (networks, everything) = (of(WhileDown::Networks), of(WhileDown::Everything));
        assert!(excluded(&networks.down).contains("192.168.1.0/24"));
        assert!(excluded(&everything.up).contains("192.168.1.0/24"));
        assert!(!excluded(&everything.down).contains("192.168.1.0/24"));
        assert!(!excluded(&networks.down).contains("10.0.0.0/8"), "it is typed as going through");
    }

    #[test]
    fn everything_is_closed_only_while_the_tunnel_is_down() {
        let Closed { down, up } = closed(&parsed("host", &["10/8"], WhileDown::Everything)).unwrap();
        assert_eq!(down.include, everything());
        assert_eq!((down.exclude.len(), up.include.len()), (1, 1));
        assert_eq!(down.id, up.id);
    }

    #[test]
    fn the_id_follows_the_profile_not_the_process() {
        let (one, other) =
            (parsed("a", &["10/8"], WhileDown::Networks), parsed("b", &["10/8"], WhileDown::Networks));
        let saved = |name: &str| ProfileId(name.into());
        assert_eq!(id(&saved("work"), &one), id(&saved("work"), &other), "an edited profile is the same one");
        assert_ne!(id(&saved("work"), &one), id(&saved("home"), &one));
        assert_eq!(id(&ProfileId::unsaved(1), &one), id(&ProfileId::unsaved(2), &one));
        assert_ne!(id(&ProfileId::unsaved(1), &one), id(&ProfileId::unsaved(1), &other));
        let wider = parsed("a", &["10/8", "11/8"], WhileDown::Networks);
        assert_ne!(id(&ProfileId::unsaved(1), &one), id(&ProfileId::unsaved(1), &wider));
    }

    #[test]
    fn what_is_held_has_words() {
        for (subnets, while_down, expected) in [
            (&["10/8"][..], WhileDown::Networks, "traffic to 10.0.0.0/8 is held"),
            (&["10/8", "11/8", "12/8"], WhileDown::Networks, "traffic to 3 networks is held"),
            (&["10/8"], WhileDown::Everything, "all traffic is held"),
        ] {
            assert_eq!(words(&parsed("host", subnets, while_down)), expected);
        }
    }
}
