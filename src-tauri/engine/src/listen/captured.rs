//! What becomes of a connection that the kernel has sent to us.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ropeway_helper_api::Capture;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{destination::OriginalDestination, relay, shortage::Shortages};
use crate::{
    api::{ConnectionState, ProfileId},
    helper::Helper,
    link::Link,
    live::{self, Opened, Table},
    names,
    ours::Ours,
    session::reach::Current,
    sys::owner::{Diagnostics, Owner},
    users::Users,
};

/// When no descriptor is left, one may be free again after this; the kernel keeps the waiting connections.
const AFTER_EXHAUSTION: Duration = Duration::from_millis(50);

/// All that is needed to serve one tunnel's connections.
pub struct Service<D> {
    pub destinations: D,
    pub profile: ProfileId,
    /// What goes through, and by which rule.
    pub current: Arc<Current>,
    /// Who answers questions to name servers.
    pub names: Arc<names::serve::Service>,
    pub link: Link,
    pub table: Arc<Table>,
    pub helper: Arc<Helper>,
    pub capture: Capture,
    /// Whose connections go direct, where no cgroup rule lets them pass.
    pub ours: Arc<Ours>,
    pub diagnostics: Option<Diagnostics>,
    pub users: Users,
    pub shortages: Shortages,
    /// Held by the service and so by every connection: when all are closed, the receiver is told.
    #[expect(dead_code, reason = "only its end is of interest")]
    pub alive: mpsc::Sender<()>,
}

/// What to do with a connection.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Through the tunnel, by this rule of the profile.
    Tunnel { rule: String },
    /// A question to a name server.
    Names,
    /// Ours: around it.
    Direct,
    /// Nobody may come here by this way.
    Refuse,
}

impl<D: OriginalDestination> Service<D> {
    /// Accepts on all listeners until dropped.
    pub async fn run(self: Arc<Self>, listeners: Vec<Arc<TcpListener>>) {
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let service = self.clone();
            tasks.spawn(async move { service.accept(&listener).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn accept(self: Arc<Self>, listener: &TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((client, from)) => {
                    let service = self.clone();
                    connections.spawn(async move { service.serve(client, from).await });
                }
                Err(error) => {
                    self.shortages.here(&error);
                    sleep(AFTER_EXHAUSTION).await;
                }
            }
        }
    }

    async fn serve(&self, client: TcpStream, from: SocketAddr) {
        // not redirected: somebody talks to the listener itself
        let Ok(target) = self.target(&client).await else { return relay::cut(&client) };
        let owner = self.diagnostics.as_ref().and_then(|all| all.tcp(from, target).ok());
        match self.verdict(target, owner.as_ref()).await {
            Verdict::Tunnel { rule } => self.tunnel(client, target, rule, owner).await,
            // whoever asks wrongly is cut off
            Verdict::Names => drop(self.names.answer_stream(client).await),
            Verdict::Direct => self.direct(client, target, owner).await,
            Verdict::Refuse => relay::cut(&client),
        }
    }

    /// Where it wanted to go; Err when that is the listener itself.
    async fn target(&self, client: &TcpStream) -> io::Result<SocketAddr> {
        let target = self.destinations.original(client).await?;
        if target == client.local_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // the client's own handshakes are over; what it writes should leave at once
        let _ = SockRef::from(client).set_tcp_nodelay(true);
        Ok(target)
    }

    async fn verdict(&self, target: SocketAddr, owner: Option<&Owner>) -> Verdict {
        if !serves(self.capture, owner) {
            return Verdict::Refuse;
        }
        if let Some(owner) = owner
            && self.is_ours(owner).await
        {
            return Verdict::Direct;
        }
        let version = self.current.newest();
        if version.effective.asks(target) {
            return Verdict::Names;
        }
        version.rules.taking(target).map_or(Verdict::Refuse, |rule| Verdict::Tunnel { rule: rule.to_owned() })
    }

    /// Looks at processes where there are no cgroups, which must not hold up other connections.
    async fn is_ours(&self, owner: &Owner) -> bool {
        if !self.ours.needs_a_look() || owner.uid != nix::unistd::geteuid().as_raw() {
            return false;
        }
        let (ours, inode) = (self.ours.clone(), owner.inode);
        spawn_blocking(move || ours.holds(inode)).await.unwrap_or(false)
    }

    async fn tunnel(&self, client: TcpStream, target: SocketAddr, rule: String, owner: Option<Owner>) {
        let row = self.table.open(self.opened(target, rule, owner, ConnectionState::Opening), live::now());
        if relay::through(client, &self.link, target, row).await {
            self.shortages.there();
        }
    }

    async fn direct(&self, client: TcpStream, target: SocketAddr, owner: Option<Owner>) {
        let row =
            self.table.open(self.opened(target, String::new(), owner, ConnectionState::Direct), live::now());
        match self.helper.connect_directly(target).await {
            // a task of nobody's: another tunnel's ssh must not end with this tunnel
            Ok(far) => drop(tokio::spawn(relay::around(client, far, row))),
            Err(error) => {
                tracing::warn!(%target, %error, "cannot connect around the tunnel");
                relay::cut(&client);
            }
        }
    }

    fn opened(
        &self,
        target: SocketAddr,
        rule: String,
        owner: Option<Owner>,
        state: ConnectionState,
    ) -> Opened {
        let user = owner.map(|owner| self.users.name(owner.uid));
        let inode = owner.map_or(0, |owner| owner.inode);
        Opened { profile: self.profile.clone(), target, rule, inode, user, state }
    }
}

/// With a capture scope set, only that scope is served, whoever finds the port.
fn serves(capture: Capture, owner: Option<&Owner>) -> bool {
    match (capture, owner) {
        // which groups and cgroups a process is in, only the kernel's rules know
        (Capture::Everyone | Capture::Group { .. }, _) | (Capture::User { .. } | Capture::Cgroup, None) => {
            true
        }
        // an ordinary user's cgroup holds nobody else's programs
        (Capture::Cgroup, Some(owner)) => {
            let own = nix::unistd::geteuid();
            own.is_root() || owner.uid == own.as_raw()
        }
        (Capture::User { uid }, Some(owner)) => owner.uid == uid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(uid: u32) -> Owner {
        Owner { inode: 1, uid }
    }

    #[test]
    fn a_scope_serves_only_its_own() {
        let mine = Capture::User { uid: 1000 };
        assert!(serves(mine, Some(&owner(1000))));
        assert!(!serves(mine, Some(&owner(0))));
        assert!(serves(Capture::Everyone, Some(&owner(33))));
    }
}
