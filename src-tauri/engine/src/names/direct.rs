//! Asks the network's own name servers, from sockets that no rule captures.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use ropeway_agent_api::{Transport, answers};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::network;
use crate::helper::Helper;

/// A server that has not answered by then is taken for silent; clients themselves ask again after 5 s (resolv.conf(5)).
const TURN: Duration = Duration::from_secs(2);

/// The largest DNS message (RFC 1035, 4.2.2).
const LARGEST: usize = 65_535;

/// The answer of the first server that gives one.
pub async fn ask(helper: &Helper, question: &Bytes, over: Transport) -> Option<Bytes> {
    for server in network::servers() {
        let asked = async {
            match over {
                Transport::Udp => udp(helper, server, question).await,
                Transport::Tcp => tcp(helper, server, question).await,
            }
        };
        match timeout(TURN, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server of the network"),
            Err(_) => tracing::debug!(%server, "a name server of the network is silent"),
        }
    }
    None
}

async fn udp(helper: &Helper, server: SocketAddr, question: &[u8]) -> io::Result<Bytes> {
    let socket = helper.datagrams_directly(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answers(&answer[..length], question) {
            return Ok(Bytes::copy_from_slice(&answer[..length]));
        }
    }
}

async fn tcp(helper: &Helper, server: SocketAddr, question: &[u8]) -> io::Result<Bytes> {
    let mut stream = helper.connect_directly(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    if answers(&answer, question) { Ok(answer.into()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
