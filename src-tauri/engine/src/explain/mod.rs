//! What becomes of a connection to somewhere, and why: which profile and rule takes it, what its name means here and on the
//! server, whether the server can connect, and where it would go otherwise.
//!
//! `target` reads what was asked about (pure), `verdict` says who takes an address (pure); the rest asks.

mod target;
mod verdict;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::Duration,
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    api::{Code, Explained, ExplainedAddress, Failure, ServerView},
    link::Cut,
    names::message,
    session::ups::Up,
};

use target::Target;

/// The system's own resolver may ask several servers in turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of a name that has more, some are enough.
const ADDRESSES: usize = 8;

/// For a host, an address or a URL.
pub async fn explain(asked: &str, ups: Vec<Up>) -> Result<Explained, Failure> {
    let target = Target::parse(asked)
        .map_err(|mistake| Failure::new(Code::ProfileInvalid, asked, mistake.to_string()))?;
    let here = match target.address {
        Some(address) => Ok(vec![address]),
        None => here(target.host.clone()).await,
    };
    let mut on_servers = vec![];
    for up in ups.iter().filter(|_| target.address.is_none()) {
        let addresses = there(&target.host, up).await.into_iter().map(|it| it.to_string()).collect();
        on_servers.push(ServerView { profile: up.name.clone(), addresses });
    }
    let (addresses, error) = match here {
        Ok(addresses) => (addresses, String::new()),
        Err(error) => (vec![], error),
    };
    let mut explained = vec![];
    for address in addresses.into_iter().take(ADDRESSES) {
        explained.push(of_address(SocketAddr::new(address, target.port), &ups).await);
    }
    Ok(Explained {
        asked: asked.into(),
        host: target.host,
        port: target.port,
        error,
        on_servers,
        addresses: explained,
        tunnels: ups.into_iter().map(|up| up.name).collect(),
    })
}

async fn of_address(address: SocketAddr, ups: &[Up]) -> ExplainedAddress {
    let versions: Vec<_> = ups.iter().map(|up| (up.name.as_str(), up.current.newest())).collect();
    let all: Vec<_> = versions.iter().map(|(name, version)| (*name, &version.effective)).collect();
    let verdict = verdict::verdict(address, &all);
    let probed = match verdict.profile.and_then(|index| ups.get(index)) {
        Some(up) => Some(match up.link.probe(address).await {
            Ok(took) => format!("connects in {} ms", took.as_millis()),
            Err(Some(Cut::Refused(reason))) => format!("cannot connect: {reason:?}"),
            Err(Some(_)) => "the tunnel has ended".into(),
            Err(None) => "nobody answers".into(),
        }),
        None => None,
    };
    ExplainedAddress {
        address: address.ip().to_string(),
        profile: verdict.profile.map(|index| ups[index].name.clone()),
        rule: verdict.rule,
        why: verdict.why,
        server: probed,
        otherwise: otherwise(address),
    }
}

/// As every program on this computer would hear it.
async fn here(host: String) -> Result<Vec<IpAddr>, String> {
    let asked = spawn_blocking(move || (host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    match timeout(PATIENCE, asked).await {
        Ok(Ok(Ok(addresses))) => {
            let mut seen = BTreeSet::new();
            Ok(addresses.into_iter().map(|it| it.ip()).filter(|ip| seen.insert(*ip)).collect())
        }
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(_)) | Err(_) => Err("no answer".into()),
    }
}

/// As the server's name servers say it.
async fn there(host: &str, up: &Up) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    for v6 in [false, true] {
        let Some(question) = message::question(host, v6) else { continue };
        let answer = up.asker.ask_whole(question).await;
        let addresses = answer.as_deref().and_then(message::addresses).unwrap_or_default();
        found.extend(addresses.into_iter().map(|it| it.address));
    }
    found
}

/// By which interface it would leave if no tunnel took it: another VPN's, perhaps. Nothing is sent: connecting a socket for
/// datagrams only asks the kernel for the way.
fn otherwise(address: SocketAddr) -> String {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let way = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    let Ok(from) = way else { return "no way".into() };
    let mut all = getifaddrs().into_iter().flatten();
    let found = all.find(|it| {
        it.address.is_some_and(|address| {
            let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()))) == Some(from.ip())
        })
    });
    match found {
        Some(interface) if interface.flags.contains(InterfaceFlags::IFF_POINTOPOINT) => {
            format!("{}, another tunnel, from {}", interface.interface_name, from.ip())
        }
        Some(interface) => format!("{} from {}", interface.interface_name, from.ip()),
        None => format!("from {}", from.ip()),
    }
}
