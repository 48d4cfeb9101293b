//! Asks on the server: questions travel through the link, and their answers find those who asked.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ropeway_agent_api::{Answer, NoAnswer, Question, Transport, flow};
use tokio::{sync::oneshot, time::timeout};

use super::message;
use crate::link::Link;

/// The agent gives three servers two seconds each; what the tunnel itself takes comes on top.
const PATIENCE: Duration = Duration::from_secs(8);

/// Questions at one time: at 5 000 a second, with an answer after 50 ms, there are 250. A flood of those that nobody answers
/// costs this much and no more.
const AT_ONCE: usize = 4096;

/// Clones are the same one.
#[derive(Clone)]
pub struct Asker {
    link: Link,
    /// Whom to ask; none = the server's own.
    servers: Arc<[SocketAddr]>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u32,
    by_id: HashMap<u32, oneshot::Sender<Result<Bytes, NoAnswer>>>,
}

impl Asker {
    pub fn new(link: Link, servers: Vec<SocketAddr>) -> Self {
        Self { link, servers: servers.into(), waiting: Arc::default() }
    }

    /// The same link, other servers.
    pub fn with_servers(&self, servers: Vec<SocketAddr>) -> Self {
        Self { servers: servers.into(), ..self.clone() }
    }

    /// Brings answers to those who wait for them, until the link ends.
    pub async fn run(&self) {
        let mut answers = self.link.datagrams(flow::NAMES);
        while let Some(datagram) = answers.recv().await {
            let Ok(Answer { id, message }) = Answer::decode(datagram) else { continue };
            if let Some(asker) = self.waiting().by_id.remove(&id) {
                let _ = asker.send(message);
            }
        }
    }

    /// The answer, whatever it says. None when there is none. Of several servers the first that answers counts.
    pub async fn ask(&self, message: Bytes, over: Transport) -> Option<Bytes> {
        if self.servers.is_empty() {
            return self.ask_one(message, over, None).await;
        }
        for server in self.servers.iter() {
            if let Some(answer) = self.ask_one(message.clone(), over, Some(*server)).await {
                return Some(answer);
            }
        }
        None
    }

    /// As programs ask: once more over TCP where the answer was cut off.
    pub async fn ask_whole(&self, question: Bytes) -> Option<Bytes> {
        match self.ask(question.clone(), Transport::Udp).await {
            Some(answer) if message::is_truncated(&answer) => self.ask(question, Transport::Tcp).await,
            answer => answer,
        }
    }

    async fn ask_one(&self, message: Bytes, over: Transport, to: Option<SocketAddr>) -> Option<Bytes> {
        let (place, answer) = self.place()?;
        let question = Question { id: place.id, over, to, message };
        self.link.send_datagram(flow::NAMES, question.encode());
        match timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(answer))) => Some(answer),
            Ok(Ok(Err(why))) => {
                tracing::debug!(?why, "no answer on the server");
                None
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    fn place(&self) -> Option<(Place<'_>, oneshot::Receiver<Result<Bytes, NoAnswer>>)> {
        let mut waiting = self.waiting();
        if waiting.by_id.len() >= AT_ONCE {
            return None;
        }
        waiting.next = waiting.next.wrapping_add(1);
        let (id, (sender, receiver)) = (waiting.next, oneshot::channel());
        waiting.by_id.insert(id, sender);
        Some((Place { asker: self, id }, receiver))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when nobody waits any more, answered or not.
struct Place<'a> {
    asker: &'a Asker,
    id: u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.asker.waiting().by_id.remove(&self.id);
    }
}
