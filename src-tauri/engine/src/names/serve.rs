//! Takes captured questions and brings the answers back.

use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use ropeway_agent_api::Transport;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};

use super::{
    decide::Decide,
    direct,
    flush::flush,
    listen, message,
    together::{Member, Together, Way},
};
use crate::{
    helper::Helper,
    session::{reach::Learned, up::Edits},
};

/// Bytes of a question over UDP: programs send one name, and EDNS options of a few hundred bytes at the most.
const QUESTION: usize = 4096;

/// Questions in the works of one tunnel; more are not read, and the kernel drops them as it does for every busy server.
const AT_ONCE: usize = 4096;

/// Who waits for an address to go through before its name is known; rules are replaced in tens of milliseconds.
const LEARNING: Duration = Duration::from_secs(1);

/// One tunnel's.
pub struct Service {
    together: Arc<Together>,
    helper: Arc<Helper>,
    me: Member,
}

impl Service {
    pub fn new(together: Arc<Together>, helper: Arc<Helper>, me: Member) -> Self {
        Self { together, helper, me }
    }

    /// Takes over what is edited, and where ssh goes as soon as that is known. For ever. `taken` is told what another tunnel
    /// answers for.
    pub async fn follow(
        &self,
        mut edits: Edits,
        endpoints: impl Future<Output = Vec<String>>,
        taken: impl Fn(String, String),
    ) {
        let endpoints = endpoints.await;
        loop {
            let dns = edits.borrow_and_update().names.dns.clone();
            match dns {
                None => self.together.leave(self.me.session),
                Some(dns) => {
                    let asker = self.me.asker.with_servers(dns.servers.clone());
                    let decide = Decide::new(dns, &endpoints);
                    let holder = self.together.join(Member { decide, asker, ..self.me.clone() });
                    if let Some((holder, what)) = holder {
                        taken(holder, what);
                    }
                }
            }
            if edits.borrow().names.dns.is_some() {
                flush().await;
            }
            if edits.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Until dropped.
    pub async fn run(self: Arc<Self>, sockets: listen::Sockets) {
        let mut tasks = JoinSet::new();
        for socket in sockets.all {
            let service = self.clone();
            tasks.spawn(async move { service.take(&socket).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn take(self: Arc<Self>, socket: &Arc<UdpSocket>) {
        let mut questions = JoinSet::new();
        let mut space = vec![0; QUESTION];
        loop {
            while questions.try_join_next().is_some() {}
            if questions.len() >= AT_ONCE {
                questions.join_next().await;
                continue;
            }
            // an answer that found nobody comes back as an error of the socket, and is nothing to us
            let Ok((length, from)) = socket.recv_from(&mut space).await else { continue };
            let question = Bytes::copy_from_slice(&space[..length]);
            let (service, socket) = (self.clone(), socket.clone());
            questions.spawn(async move { service.answer_datagram(&socket, question, from).await });
        }
    }

    async fn answer_datagram(&self, socket: &UdpSocket, question: Bytes, from: SocketAddr) {
        if let Some(answer) = self.answer(question, Transport::Udp).await {
            let _ = socket.send_to(&answer, from).await;
        }
    }

    /// A connection to a name server: its questions, one after the other (RFC 7766), until the program has none.
    pub async fn answer_stream(&self, mut client: TcpStream) -> io::Result<()> {
        loop {
            let length = match client.read_u16().await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                length => length?,
            };
            let mut question = vec![0; length.into()];
            client.read_exact(&mut question).await?;
            let answer =
                self.answer(question.into(), Transport::Tcp).await.ok_or(io::ErrorKind::InvalidData)?;
            let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
            client.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await?;
        }
    }

    /// What the program is told; None for what is no question at all.
    async fn answer(&self, question: Bytes, over: Transport) -> Option<Bytes> {
        let name = message::asked(&question);
        let way = self.together.who(self.me.capture, name.as_deref());
        let answer = match &way {
            Way::Tunnel(member) => member.asker.ask(question.clone(), over).await,
            Way::Direct => direct::ask(&self.helper, &question, over).await,
        };
        let Some(answer) = answer else { return message::failure(&question) };
        if let Way::Tunnel(member) = &way {
            teach(member, &answer).await;
        }
        Some(answer)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.together.leave(self.me.session);
    }
}

/// A rule for names may take these addresses: from when the program hears of them, not from some time later.
async fn teach(member: &Member, answer: &[u8]) {
    let Some(found) = message::addresses(answer).filter(|found| !found.is_empty()) else { return };
    let (done, is_done) = oneshot::channel();
    if member.learn.send(Learned { found, done }).is_ok() {
        let _ = timeout(LEARNING, is_done).await;
    }
}
