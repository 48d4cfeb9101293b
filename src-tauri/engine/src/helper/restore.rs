//! What crashes left closed. Asking about it starts a helper: only for who has one.

use ropeway_helper_api::{Reply, Request};

use super::{Helper, failures, farewell};
use crate::api::{Failure, Leftovers};

impl Helper {
    /// How much there is.
    pub async fn leftovers(&self) -> Result<Leftovers, Failure> {
        match self.ask_once(Request::Leftovers).await? {
            Reply::Leftovers { mine, others } => Ok(Leftovers { mine, others }),
            other => Err(failures::unexpected(&other)),
        }
    }

    /// Opens this user's, or `everybody`'s, which on a line only root may. How many there were.
    pub async fn restore(&self, everybody: bool) -> Result<u32, Failure> {
        let Leftovers { mine, others } = self.leftovers().await?;
        self.ask_once(Request::Restore { everybody }).await?;
        Ok(if everybody { mine + others } else { mine })
    }

    /// On the line that there is, or on one for this question alone.
    async fn ask_once(&self, request: Request) -> Result<Reply, Failure> {
        let current = self.current().as_ref().map(|current| current.line.clone());
        if let Some(line) = current.filter(super::Line::is_alive) {
            return failures::heard(line.ask(request, vec![]).await);
        }
        let line = self.open().await?;
        let answer = line.ask(request, vec![]).await;
        farewell(&line).await;
        failures::heard(answer)
    }
}
