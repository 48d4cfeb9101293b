//! Carries one connection. While nothing moves it holds no buffer.

use std::{
    io,
    net::{Shutdown, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ropeway_mux::Reason;
use socket2::SockRef;
use tokio::{io::copy_bidirectional, net::TcpStream};

use crate::{
    api::ConnectionState,
    link::{Cut, Link, Program},
    live::Row,
};

/// From now on the connection ends with RST, whoever ends it and however (a killed engine, too): the program reads
/// ECONNRESET, never an empty answer that looks whole.
pub fn cut(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

/// Everything was said in both directions: an ordinary end.
fn close(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(None);
}

/// Through the tunnel. Cuts the client when the target refused it or when the stream was cut. Says whether it was because
/// the far side has nothing left to make connections with.
pub async fn through(client: TcpStream, link: &Link, target: SocketAddr, row: Row) -> bool {
    cut(&client);
    let local = Arc::new(Local { client, row });
    let stream = link.open(target, local.clone());
    let end = tokio::select! {
        end = stream.ended() => end.map_err(|why| (state_of(why), why)),
        () = local.row.close_asked() => Err((ConnectionState::Reset, Cut::Near)),
    };
    local.row.set(end.map_or_else(|(state, _)| state, |()| ConnectionState::Closed));
    if end.is_ok() {
        close(&local.client);
    }
    end.is_err_and(|(_, why)| why == Cut::Refused(Reason::Exhausted))
}

/// A program's connection, and what is shown of it.
struct Local {
    client: TcpStream,
    row: Row,
}

impl Program for Local {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.client.try_read(buffer).inspect(|bytes| self.row.add_up(*bytes))
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.client.try_write(bytes).inspect(|bytes| self.row.add_down(*bytes))
    }

    fn poll_read_ready(&self, context: &mut Context) -> Poll<io::Result<()>> {
        self.client.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context) -> Poll<io::Result<()>> {
        self.client.poll_write_ready(context)
    }

    fn finish(&self) {
        // one that is gone meanwhile is noticed where it is read
        let _ = SockRef::from(&self.client).shutdown(Shutdown::Write);
    }

    fn opened(&self) {
        self.row.set(ConnectionState::Open);
    }

    fn closing(&self) {
        self.row.set(ConnectionState::Closing);
    }
}

fn state_of(why: Cut) -> ConnectionState {
    match why {
        Cut::Refused(Reason::Refused) => ConnectionState::Refused,
        Cut::Refused(Reason::HostUnreachable | Reason::NetworkUnreachable) => ConnectionState::Unreachable,
        Cut::Refused(Reason::TimedOut) => ConnectionState::TimedOut,
        Cut::Refused(Reason::Prohibited) => ConnectionState::Prohibited,
        Cut::Refused(Reason::Exhausted | Reason::Reset | Reason::Failed) => ConnectionState::Failed,
        Cut::Far | Cut::Near => ConnectionState::Reset,
        Cut::Link => ConnectionState::Lost,
    }
}

/// Around the tunnel, for what is ours.
pub async fn around(mut client: TcpStream, mut far: TcpStream, row: Row) {
    cut(&client);
    match copy_bidirectional(&mut client, &mut far).await {
        Ok((up, down)) => {
            close(&client);
            row.add_up(up as usize);
            row.add_down(down as usize);
            row.set(ConnectionState::Closed);
        }
        Err(_) => row.set(ConnectionState::Reset),
    }
}
