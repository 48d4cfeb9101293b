//! Who has which address and how the hosts are wired: one `ip` script for each namespace, nothing else.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// Where the services of the lab listen.
pub mod ports {
    /// The web server, on the hub and in the private network.
    pub const WEB: u16 = 80;
    /// Sends back what it gets, then closes; datagrams too.
    pub const ECHO: u16 = 7;
    /// Says goodbye, closes its side, and then listens until the other side is done.
    pub const FAREWELL: u16 = 17;
    /// Nobody listens here.
    pub const REFUSES: u16 = 9;
    /// sshd on jump, server and private.
    pub const SSH: u16 = 22;
    /// The name server, on the hub.
    pub const DNS: u16 = 53;
    /// sshd on the client: a server that turns out to be the same machine.
    pub const SSH_ON_CLIENT: u16 = 2222;
}

/// An IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// Both, for tests that go over them.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];
}

/// A host of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The router between client, jump and server, and a public web server.
    Hub,
    /// Where the tunnel starts.
    Client,
    /// A host between.
    Jump,
    /// Where the tunnel ends.
    Server,
    /// Known to the server only.
    Private,
}

impl Place {
    /// In the order in which they are made: a link is made by the later of its two ends.
    pub const ALL: [Self; 5] = [Self::Hub, Self::Client, Self::Jump, Self::Server, Self::Private];

    /// As people and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Client => "client",
            Self::Jump => "jump",
            Self::Server => "server",
            Self::Private => "private",
        }
    }

    /// The host of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.name() == name)
    }

    /// The address under which others know it.
    pub fn address(self, family: Family) -> IpAddr {
        let (v4, v6) = match self {
            Self::Hub => internet(1),
            Self::Client => internet(2),
            Self::Jump => internet(3),
            Self::Server => internet(4),
            Self::Private => private(2),
        };
        match family {
            Family::V4 => v4.into(),
            Family::V6 => v6.into(),
        }
    }

    /// What of the wiring is done in this host's namespace; `{…}` stands for the other ends' namespaces.
    fn script(self) -> String {
        match self {
            Self::Hub => HUB.into(),
            Self::Client | Self::Jump => uplink(self),
            Self::Server => uplink(self) + SERVER,
            Self::Private => PRIVATE.into(),
        }
    }
}

/// The server as the jump host alone can reach it.
pub fn server_behind_jump() -> IpAddr {
    Ipv4Addr::new(192, 168, 30, 2).into()
}

/// The server's name, in the lab's own zone. `test` is never anybody's (RFC 2606).
pub const SERVER_NAME: &str = "server.ropeway.test";

/// The private network's own domain.
pub const DOMAIN: &str = "corp.test";

/// The server's address after it has moved.
pub fn server_elsewhere() -> IpAddr {
    internet(5).0.into()
}

/// Moves the server: nobody is at its old IPv4 address any more, and the route of everything else is as it was.
pub fn move_server(lab: &str) -> Result<()> {
    let (old, new) = (Place::Server.address(Family::V4), server_elsewhere());
    let script = format!(
        "addr del {old}/24 dev eth0\naddr add {new}/24 dev eth0\nroute replace default via 198.51.100.1\n"
    );
    ip(&["-n", &namespace(lab, Place::Server), "-batch", "-"], &script)
}

/// What only the server can reach.
pub fn private_net(family: Family) -> &'static str {
    match family {
        Family::V4 => "10.20.0.0/16",
        Family::V6 => "fd20::/48",
    }
}

/// In the private network; routers say that there is no such host. Over IPv6 a first connection hears it after a
/// second: here the answer arrives while `connect` still holds the socket, and Linux then waits for the repeated SYN.
pub fn unreachable(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 20, 98, 1).into(),
        Family::V6 => Ipv6Addr::new(0xfd20, 0, 0, 0x98, 0, 0, 0, 1).into(),
    }
}

/// In the private network; nobody ever answers.
pub fn silent(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 20, 99, 1).into(),
        Family::V6 => Ipv6Addr::new(0xfd20, 0, 0, 0x99, 0, 0, 0, 1).into(),
    }
}

/// TEST-NET-2 and the documentation prefix: never anybody's real addresses.
fn internet(host: u8) -> (Ipv4Addr, Ipv6Addr) {
    (Ipv4Addr::new(198, 51, 100, host), Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, host.into()))
}

fn private(host: u8) -> (Ipv4Addr, Ipv6Addr) {
    (Ipv4Addr::new(10, 20, 0, host), Ipv6Addr::new(0xfd20, 0, 0, 0, 0, 0, 0, host.into()))
}

/// Without a route of its own to everything, a host's connections fail before a firewall rule can redirect them:
/// the kernel looks for the route first. So all have a default route, and the hub is where it ends.
const HUB: &str = "
link add br0 type bridge mcast_snooping 0
link set br0 up
addr add 198.51.100.1/24 dev br0
addr add 2001:db8:51::1/64 dev br0 nodad
route add unreachable default
route add unreachable ::/0
";

const SERVER: &str = "
link add dmz type veth peer name dmz netns {jump}
addr add 192.168.30.2/24 dev dmz
addr add fd30::2/64 dev dmz nodad
link set dmz up
";

const PRIVATE: &str = "
link add eth0 type veth peer name inside netns {server}
addr add 10.20.0.2/24 dev eth0
addr add fd20::2/64 dev eth0 nodad
link set eth0 up
route add default via 10.20.0.1
route add ::/0 via fd20::1
route add unreachable 10.20.98.0/24
route add unreachable fd20:0:0:98::/64
route add blackhole 10.20.99.0/24
route add blackhole fd20:0:0:99::/64
";

/// The other ends of links that a later host made.
const LATER: &[(Place, &str)] = &[
    (Place::Jump, "addr add 192.168.30.1/24 dev dmz\naddr add fd30::1/64 dev dmz nodad\nlink set dmz up\n"),
    (
        Place::Server,
        "addr add 10.20.0.1/24 dev inside\naddr add fd20::1/64 dev inside nodad\nlink set inside up\n\
         route add 10.20.0.0/16 via 10.20.0.2\nroute add fd20::/48 via fd20::2\n",
    ),
    (
        Place::Hub,
        "link set v-client master br0 up\nlink set v-jump master br0 up\nlink set v-server master br0 up\n",
    ),
    (Place::Client, DEFAULT_ROUTES),
    (Place::Jump, DEFAULT_ROUTES),
    (Place::Server, DEFAULT_ROUTES),
];

const DEFAULT_ROUTES: &str = "route add default via 198.51.100.1\nroute add ::/0 via 2001:db8:51::1\n";

fn uplink(place: Place) -> String {
    let (v4, v6) = (place.address(Family::V4), place.address(Family::V6));
    format!(
        "link add eth0 type veth peer name v-{} netns {{hub}}\naddr add {v4}/24 dev eth0\n\
         addr add {v6}/64 dev eth0 nodad\nlink set eth0 up\n",
        place.name()
    )
}

/// Kernel settings of a fresh namespace. Addresses are usable at once, errors are told as often as they happen, and
/// all labs behave alike whatever the machine's own defaults are.
pub const SYSCTLS: &[(&str, &str)] = &[
    // a connection knows nothing of those before it: each measurement starts alike
    ("ipv4/tcp_no_metrics_save", "1"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/lo/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/tcp_congestion_control", "cubic"),
];

/// Only a router tells others that there is no route.
pub const SYSCTLS_OF_ROUTERS: &[(&str, &str)] =
    &[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")];

/// Whether the host answers for networks that are not its own.
pub fn is_router(place: Place) -> bool {
    matches!(place, Place::Hub | Place::Private)
}

/// The name of a host's namespace, as `ip netns` lists it.
pub fn namespace(lab: &str, place: Place) -> String {
    format!("ropeway-{lab}-{}", place.name())
}

/// Makes an empty namespace.
pub fn add_namespace(lab: &str, place: Place) -> Result<()> {
    ip(&["netns", "add", &namespace(lab, place)], "")
}

/// Takes the name away; the namespace ends with its last process.
pub fn delete_namespace(lab: &str, place: Place) -> Result<()> {
    ip(&["netns", "delete", &namespace(lab, place)], "")
}

/// Wires the namespaces, which must all be there.
pub fn wire(lab: &str) -> Result<()> {
    let own = Place::ALL.map(|place| (place, format!("link set lo up\n{}", place.script())));
    let later = LATER.iter().map(|(place, script)| (*place, (*script).to_owned()));
    for (place, script) in own.into_iter().chain(later) {
        let script = Place::ALL.iter().fold(script, |script, other| {
            script.replace(&format!("{{{}}}", other.name()), &namespace(lab, *other))
        });
        ip(&["-n", &namespace(lab, place), "-batch", "-"], &script)
            .with_context(|| format!("cannot wire the lab's {}", place.name()))?;
    }
    Ok(())
}

fn ip(args: &[&str], script: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
