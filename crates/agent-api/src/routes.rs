//! Where the server can send packets.

use bytes::{Buf, BufMut, BytesMut};
use ipnet::IpNet;

use crate::wire::{self, Malformed};

/// The server's routing table, as far as it says which networks there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Whether it has a default route of this family.
    pub default_v4: bool,
    /// The same.
    pub default_v6: bool,
    /// Networks other than the default, without those that mean nothing elsewhere (loopback, link-local, multicast). At most
    /// [`Routes::MAX`].
    pub networks: Vec<IpNet>,
    /// Domains that the server's resolver tries for short names.
    pub search: Vec<String>,
}

impl Routes {
    /// So many fit into one control message: 18 bytes each of 64 KiB, less the search list.
    pub const MAX: usize = 3000;
    /// As many as resolvers look at (glibc 2.26 and later look at all; before, at six), and enough for anybody.
    pub const MAX_SEARCH: usize = 32;

    pub(crate) fn put(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(self.default_v4) | u8::from(self.default_v6) << 1);
        let networks = &self.networks[..self.networks.len().min(Self::MAX)];
        out.put_u16(networks.len() as u16);
        for net in networks {
            wire::put_net(out, *net);
        }
        self.search.iter().take(Self::MAX_SEARCH).for_each(|domain| wire::put_text(out, domain));
    }

    pub(crate) fn get(input: &mut impl Buf) -> Result<Self, Malformed> {
        let flags = input.try_get_u8()?;
        let count = usize::from(input.try_get_u16()?);
        if count > Self::MAX {
            return Err(Malformed);
        }
        let networks = (0..count).map(|_| wire::get_net(input)).collect::<Result<_, _>>()?;
        let mut search = vec![];
        while input.has_remaining() && search.len() < Self::MAX_SEARCH {
            search.push(wire::get_text(input)?);
        }
        wire::end(input)?;
        Ok(Self { default_v4: flags & 1 != 0, default_v6: flags & 2 != 0, networks, search })
    }
}
