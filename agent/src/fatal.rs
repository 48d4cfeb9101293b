//! What ends the agent; its text is the one line on stderr.

use std::io;

/// The agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("{0} is not a pipe: Ropeway starts this program over ssh, it is of no use by hand")]
    NotAPipe(&'static str),
    #[error("the client does not speak this agent's protocol: {0}")]
    Protocol(#[from] ropeway_mux::Error),
    #[error("cannot {doing}: {source}")]
    System { doing: &'static str, source: io::Error },
}

/// For `map_err`: names what failed.
pub fn while_doing<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Fatal {
    move |error| Fatal::System { doing, source: error.into() }
}
