//! Overlapping routes in, disjoint address ranges out. Pure; knows no firewall.
//!
//! The kernel's sets refuse overlapping ranges, and a rule has no "most specific wins". So routes become [`Layer`]s:
//! in order, the first layer that has the port and a piece with the address decides. Within a layer the pieces
//! are disjoint. A layer's ports are narrower than or as narrow as those of the layers behind it, which is how
//! "narrower ports first" comes out without a copy of every set for every port range.

use std::collections::BTreeMap;

use ipnet::IpNet;
use ropeway_helper_api::{Ports, Route};

/// Pieces of all layers of one user together; a table may have that many for each user in it. A piece costs the kernel about 200 bytes; the largest single plan (100 000 routes)
/// stays below, whatever its port ranges, unless they overlap each other hundreds of times.
pub const MAX_PIECES: usize = 400_000;

/// What is wanted for one route. At a tie the smaller one wins: an exclusion, then the session that came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Direct,
    /// By its place among the sessions.
    Session(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

/// What happens to connections to these ports, where a piece has their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub family: Family,
    pub ports: Ports,
    /// Ascending, disjoint, neighbours of one target joined.
    pub pieces: Vec<Piece>,
}

/// First and last address; an IPv4 address is a small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub first: u128,
    pub last: u128,
    pub target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the routes make more than {MAX_PIECES} address ranges")]
pub struct TooManyPieces;

/// In the order in which a connection has to meet them. The two families don't disturb each other. `budget` is how many
/// pieces there may still be in the table; what these may take is taken off.
pub fn flatten(
    routes: impl IntoIterator<Item = (Route, Target)>,
    budget: &mut usize,
) -> Result<Vec<Layer>, TooManyPieces> {
    let mut layers = vec![];
    for ((width, family), tier) in tiers(routes) {
        for (ports, pieces) in tier.cells(width) {
            // sweeping n nested ranges gives at most 2n - 1 pieces
            *budget = budget.checked_sub(2 * pieces.len()).ok_or(TooManyPieces)?;
            layers.push(Layer { family, ports, pieces: sweep(pieces) });
        }
    }
    Ok(layers)
}

/// Port ranges of equal width, by their first port.
#[derive(Default)]
struct Tier(BTreeMap<u16, Vec<Piece>>);

/// Width is counted from 0, so that all ports fit into it.
fn tiers(routes: impl IntoIterator<Item = (Route, Target)>) -> BTreeMap<(u16, Family), Tier> {
    let mut tiers: BTreeMap<(u16, Family), Tier> = BTreeMap::new();
    for (route, target) in routes {
        let (family, first, last) = bounds(route.net);
        let width = route.ports.last - route.ports.first;
        let tier = tiers.entry((width, family)).or_default();
        tier.0.entry(route.ports.first).or_default().push(Piece { first, last, target });
    }
    tiers
}

impl Tier {
    /// Cuts the port ranges where they overlap each other; each cell has the pieces of all ranges that cover it.
    fn cells(&self, width: u16) -> impl Iterator<Item = (Ports, Vec<Piece>)> {
        let mut edges: Vec<u32> = self
            .0
            .keys()
            .flat_map(|&first| [first.into(), u32::from(first) + u32::from(width) + 1])
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let ends: Vec<u32> = edges.iter().skip(1).copied().collect();
        edges.into_iter().zip(ends).filter_map(move |(first, end)| {
            let ports = Ports { first: first as u16, last: (end - 1) as u16 };
            let pieces = self.covering(ports.first, width);
            (!pieces.is_empty()).then_some((ports, pieces))
        })
    }

    fn covering(&self, port: u16, width: u16) -> Vec<Piece> {
        self.0.range(port.saturating_sub(width)..=port).flat_map(|(_, pieces)| pieces).copied().collect()
    }
}

/// Nested or disjoint ranges (networks are nothing else) become disjoint ones: the shortest range at an address wins.
fn sweep(mut nested: Vec<Piece>) -> Vec<Piece> {
    nested.sort_unstable_by_key(|piece| (piece.first, u128::MAX - piece.last, piece.target));
    nested.dedup_by_key(|piece| (piece.first, piece.last)); // keeps the first, the smallest target
    let mut sweep = Sweep { open: vec![], next: Some(0), done: Vec::with_capacity(nested.len()) };
    for piece in nested {
        sweep.close_before(piece.first);
        sweep.open(piece);
    }
    sweep.close_all();
    sweep.done
}

struct Sweep {
    /// The ranges around the place where we are, outermost first.
    open: Vec<Piece>,
    /// The first address that is not decided; None behind the last address there is.
    next: Option<u128>,
    done: Vec<Piece>,
}

impl Sweep {
    fn open(&mut self, piece: Piece) {
        if let (Some(outer), Some(before)) = (self.open.last().copied(), piece.first.checked_sub(1)) {
            self.decide_until(before, outer.target);
        }
        self.next = Some(piece.first);
        self.open.push(piece);
    }

    fn close_before(&mut self, address: u128) {
        while let Some(piece) = self.open.pop_if(|piece| piece.last < address) {
            self.decide_until(piece.last, piece.target);
        }
    }

    fn close_all(&mut self) {
        while let Some(piece) = self.open.pop() {
            self.decide_until(piece.last, piece.target);
        }
    }

    fn decide_until(&mut self, last: u128, target: Target) {
        let Some(first) = self.next.filter(|&first| first <= last) else { return };
        self.next = last.checked_add(1);
        match self.done.last_mut() {
            Some(before) if before.target == target && before.last.checked_add(1) == Some(first) => {
                before.last = last;
            }
            _ => self.done.push(Piece { first, last, target }),
        }
    }
}

fn bounds(net: IpNet) -> (Family, u128, u128) {
    match net {
        IpNet::V4(net) => (Family::V4, u32::from(net.network()).into(), u32::from(net.broadcast()).into()),
        IpNet::V6(net) => (Family::V6, net.network().into(), net.broadcast().into()),
    }
}
