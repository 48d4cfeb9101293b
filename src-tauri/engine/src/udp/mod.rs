//! Datagrams and echo requests of programs, through the tunnel: from the helper's device to the agent, and answers back.
//!
//! `packet` and `flows` only compute; `device` is the descriptor. Start with [`carry`].

mod device;
mod flows;
mod packet;

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ropeway_agent_api::{Datagram, flow};
use tokio::time::interval;

use self::{
    device::Device,
    flows::{Flows, Program},
    packet::{Kind, Packet},
};
use crate::{
    api::{ConnectionState, ProfileId},
    link::Link,
    live::{self, Opened, Row, Table},
    session::reach::Current,
};

/// How often the silent ones are looked for; nobody waits for it.
const LOOK: Duration = Duration::from_secs(30);

/// Where datagrams go, and where they are shown.
pub struct Way {
    pub link: Link,
    pub profile: ProfileId,
    /// By which rule it goes through.
    pub current: Arc<Current>,
    pub table: Arc<Table>,
}

/// Shown while its flow lives; then it has ended in order.
struct Shown(Option<Row>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.iter().for_each(|row| row.set(ConnectionState::Closed));
    }
}

/// Until the device ends: with an error, always.
pub async fn carry(descriptor: OwnedFd, way: &Way) -> io::Error {
    let device = match Device::new(descriptor) {
        Ok(device) => device,
        Err(error) => return error,
    };
    let mut flows = Flows::new();
    let (mut datagrams, mut echoes) = (way.link.datagrams(flow::UDP), way.link.datagrams(flow::ECHO));
    let (mut space, mut look) = (Device::space(), interval(LOOK));
    loop {
        tokio::select! {
            packet = device.read(&mut space) => match packet {
                Ok(packet) => way.send(packet, &mut flows),
                Err(error) => return error,
            },
            Some(data) = datagrams.recv() => deliver(Kind::Udp, data, &device, &mut flows),
            Some(data) = echoes.recv() => deliver(Kind::Echo, data, &device, &mut flows),
            _ = look.tick() => flows.expire(Instant::now()),
        }
    }
}

impl Way {
    /// What is neither is nobody's: the kernel sends its own ICMP errors here, too.
    fn send(&self, packet: &[u8], flows: &mut Flows<Shown>) {
        let Some(Packet { kind, from, to, payload }) = packet::parse(packet) else { return };
        let program = Program { kind, at: from };
        let (id, shown) = flows.of(program, Instant::now(), || self.show(kind, to));
        shown.0.iter().for_each(|row| row.add_up(payload.len()));
        let of = match kind {
            Kind::Udp => flow::UDP,
            Kind::Echo => flow::ECHO,
        };
        let payload = Ok(Bytes::copy_from_slice(payload));
        self.link.send_datagram(of, Datagram { id, remote: to, payload }.encode());
    }

    /// By whom it talks to first. An echo is over in a moment, and has no port to show.
    fn show(&self, kind: Kind, to: SocketAddr) -> Shown {
        let opened = |rule: &str| Opened {
            profile: self.profile.clone(),
            target: to,
            rule: rule.to_owned(),
            inode: 0,
            user: None,
            state: ConnectionState::Open,
        };
        let version = self.current.newest();
        let rule = version.rules.taking(to).filter(|_| kind == Kind::Udp);
        Shown(rule.map(|rule| self.table.open(opened(rule), live::now())))
    }
}

/// What comes for nobody, or is no datagram, is dropped.
fn deliver(kind: Kind, data: Bytes, device: &Device, flows: &mut Flows<Shown>) {
    let Ok(Datagram { id, remote, payload }) = Datagram::decode(data) else { return };
    let Some((program, shown)) = flows.find(id, Instant::now()).filter(|(program, _)| program.kind == kind)
    else {
        return;
    };
    let packet = match &payload {
        Ok(payload) => {
            shown.0.iter().for_each(|row| row.add_down(payload.len()));
            packet::answer(&Packet { kind, from: remote, to: program.at, payload })
        }
        Err(why) => packet::undelivered(kind, program.at, remote, *why),
    };
    if let Some(packet) = packet {
        device.write(&packet);
    }
}
