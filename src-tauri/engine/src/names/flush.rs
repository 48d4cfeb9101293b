//! What this computer's own cache remembers of names is another network's after the tunnel has come or gone.

use std::time::Duration;

use tokio::time::timeout;

/// systemd-resolved answers in milliseconds; nobody waits for it longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks systemd-resolved to forget; where there is none, nobody remembers.
pub async fn flush() {
    let asked = async {
        let bus = zbus::Connection::system().await?;
        let (to, at) = ("org.freedesktop.resolve1", "/org/freedesktop/resolve1");
        bus.call_method(Some(to), at, Some("org.freedesktop.resolve1.Manager"), "FlushCaches", &()).await
    };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => tracing::debug!("the resolver has forgotten what it knew"),
        Ok(Err(error)) => tracing::debug!(%error, "no resolver that remembers names"),
        Err(_) => tracing::debug!("the resolver does not answer"),
    }
}
