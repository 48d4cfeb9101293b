//! Serves connections: reads messages, lets the [`Client`] answer, and undoes a client's rules when it is gone.
//!
//! Today one process serves one connection. Nothing in [`Server::serve`] depends on that: the rules know their
//! clients by [`ClientId`].

use std::{io, os::unix::net::UnixStream, time::Duration};

use ropeway_helper_api::{Message, wire};

use crate::{
    client::{self, Answer, Client},
    rules::{ClientId, Firewall, LoadError, Rules},
    store::Store,
};

/// How long a message that has begun may take. The largest one (10 MB) crosses a local socket in milliseconds.
const MESSAGE_TIME: Duration = Duration::from_secs(10);

pub struct Server<F> {
    rules: Rules<F>,
    next_client: u64,
}

impl<F: Firewall> Server<F> {
    pub fn new(firewall: F, store: Store) -> Self {
        Self { rules: Rules::new(firewall, store), next_client: 0 }
    }

    /// Until the connection ends, however it does; then nothing of this client is left.
    pub fn serve(&mut self, socket: &UnixStream, uid: u32) -> Result<(), LoadError> {
        let mut client = Client::new(self.new_client(), uid);
        match self.converse(socket, &mut client) {
            Ok(()) => tracing::info!("the connection has ended"),
            Err(error) => tracing::warn!(%error, "the connection has failed"),
        }
        self.rules.unload_client(client.id())
    }

    fn converse(&mut self, socket: &UnixStream, client: &mut Client) -> io::Result<()> {
        loop {
            let answer = match wire::receive_from(socket, client.uid(), MESSAGE_TIME) {
                Ok(Some(message)) => client.answer(&mut self.rules, message),
                Ok(None) => return Ok(()),
                Err(error) => client::answer_to_garbage(&error).ok_or(error)?,
            };
            log(&answer);
            let close = answer.close;
            wire::send(socket, &Message::Reply { reply: answer.reply }, &[])?;
            if close {
                return Ok(());
            }
        }
    }

    fn new_client(&mut self) -> ClientId {
        self.next_client += 1;
        ClientId(self.next_client)
    }
}

fn log(answer: &Answer) {
    if let ropeway_helper_api::Reply::Error(error) = &answer.reply {
        tracing::warn!(code = ?error.code, detail = error.detail, "refused");
    }
}
