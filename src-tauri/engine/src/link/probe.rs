//! Whether the server can connect to somewhere, found out by connecting.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{Cut, Link, Program};

/// A person waits for the answer; a server that says nothing by then is told so.
const PATIENCE: Duration = Duration::from_secs(5);

impl Link {
    /// Has the agent connect there and end the connection at once. How long it took; None when nobody answered in time.
    pub async fn probe(&self, target: SocketAddr) -> Result<Duration, Option<Cut>> {
        let (began, knock) = (Instant::now(), Arc::new(Knock::default()));
        let stream = self.open(target, knock.clone());
        let opened = async {
            tokio::select! {
                () = knock.opened.notified() => Ok(began.elapsed()),
                end = stream.ended() => end.map(|()| began.elapsed()).map_err(Some),
            }
        };
        timeout(PATIENCE, opened).await.unwrap_or(Err(None))
    }
}

/// A program that says nothing and takes whatever comes.
#[derive(Default)]
struct Knock {
    opened: Notify,
}

impl Program for Knock {
    fn try_read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_read_ready(&self, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_write_ready(&self, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {}

    fn opened(&self) {
        self.opened.notify_one();
    }

    fn closing(&self) {}
}
